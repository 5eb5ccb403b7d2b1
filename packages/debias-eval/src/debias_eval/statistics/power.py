"""How small a difference can so much data show, and how much data does a margin need?"""

from __future__ import annotations

import math

from scipy import stats

from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.intervals import check_confidence


def minimum_detectable_difference(
    standard_error: float,
    *,
    confidence: float = 0.95,
    power: float = 0.8,
    df: float | None = None,
) -> float:
    """Return the smallest true difference that is told from 0 with probability ``power``.

    ``(q(1 - a/2) + q(power))·standard_error`` with the quantiles of the t distribution (normal
    where ``df`` is None). With ``df`` below 1 nothing can be told: infinite.

    Args:
        standard_error: standard error of the estimated difference.
        confidence: 1 - a of the two-sided test.
        power: the asked-for probability of seeing a difference of that size.
        df: degrees of freedom of the standard error.

    Raises:
        StatisticsError: on a negative standard error or an impossible power.
    """
    alpha = 1.0 - check_confidence(confidence)
    if not standard_error >= 0:
        raise StatisticsError(f"a standard error cannot be {standard_error}")
    if not 0.0 < power < 1.0:
        raise StatisticsError(f"power must lie between 0 and 1, got {power}")
    if df is not None and df < 1:
        return math.inf
    law = stats.norm if df is None else stats.t(df)
    return float(law.ppf(1 - alpha / 2) + law.ppf(power)) * standard_error


def pairs_for_margin(
    standard_error: float, *, num_pairs: int, margin: float, confidence: float = 0.95
) -> int:
    """Return how many pairs put the whole interval inside ±``margin`` in 80% of reports.

    Taken at a true value of 0, with as many samples a pair and pairs a cluster as now:
    ``n·((z(1 - a/2) + z(0.9))·standard_error/margin)²``. The 0.9 is because either end of the
    interval may leave the margin, so each may do so in 10%. At least 2.

    Args:
        standard_error: standard error that ``num_pairs`` pairs gave.
        num_pairs: the pairs behind it.
        margin: half-width of the zone of indifference, above 0.
        confidence: coverage of the interval.
    """
    if not margin > 0:
        raise StatisticsError(f"the margin must be above 0, got {margin}")
    alpha = 1.0 - check_confidence(confidence)
    factor = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(0.9)) * standard_error / margin
    return max(2, math.ceil(num_pairs * factor * factor))
