"""The error of data that cannot carry the statistic that was asked for."""

from debias_eval.errors import InputError


class StatisticsError(InputError, ValueError):
    """Empty, one-sided, non-finite or mismatched data."""
