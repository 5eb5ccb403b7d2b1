"""Is it more than chance? McNemar for pairs, TOST for sameness, Holm for several questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from debias_eval.statistics.errors import StatisticsError


@dataclass(frozen=True, slots=True)
class Tost:
    """Two one-sided tests that a quantity lies within ±margin.

    Attributes:
        p_above_low: p of "it is not above -margin".
        p_below_high: p of "it is not below +margin".
        p: the larger of both; sameness is shown where it is small.
    """

    p_above_low: float
    p_below_high: float
    p: float


def mcnemar_exact(b: int, c: int) -> float:
    """Return the exact two-sided p of McNemar's test.

    ``min(1, 2·P(X <= min(b, c)))`` with X binomial(b + c, 1/2). 1 where no pair disagrees.

    Args:
        b: items that only the first model solved.
        c: items that only the second model solved.

    Raises:
        StatisticsError: on a negative count.
    """
    if b < 0 or c < 0:
        raise StatisticsError(f"counts of disagreeing pairs cannot be negative: {b}, {c}")
    if b + c == 0:
        return 1.0
    return min(1.0, 2.0 * float(stats.binom.cdf(min(b, c), b + c, 0.5)))


def tost(estimate: float, standard_error: float, *, margin: float, df: float | None = None) -> Tost:
    """Return the two one-sided tests that the quantity behind ``estimate`` is within ±``margin``.

    A p below a/2 agrees with "the (1 - a) interval lies inside the margin": the reports of this
    package claim sameness from the same 95% interval that they print, that is at p < 0.025.

    Args:
        estimate: the point estimate.
        standard_error: its standard error; 0 means that the value is exact.
        margin: half-width of the zone of indifference, above 0, in the estimate's unit.
        df: degrees of freedom of the t distribution; ``None`` for the normal one.

    Raises:
        StatisticsError: on a margin that is not positive, or a negative standard error.

    Source: Schuirmann, D. J. (1987), J. Pharmacokinet. Biopharm. 15, 657-680.
    """
    if not margin > 0:
        raise StatisticsError(f"the margin must be above 0, got {margin}")
    if not standard_error >= 0 or not math.isfinite(estimate):
        raise StatisticsError(f"no test of {estimate} with standard error {standard_error}")
    law = stats.norm if df is None else stats.t(df)
    above = _upper_tail(law, estimate + margin, standard_error)
    below = _upper_tail(law, margin - estimate, standard_error)
    return Tost(above, below, max(above, below))


def _upper_tail(law: stats.rv_continuous, distance: float, standard_error: float) -> float:
    if standard_error == 0.0:
        return 0.0 if distance > 0 else 1.0
    return float(law.sf(distance / standard_error))


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's adjusted p values, in the order given.

    Reject where the adjusted value is at most the level: the chance of any false rejection among
    all questions stays below that level, whatever their dependence.

    Raises:
        StatisticsError: on a value outside [0, 1].

    Source: Holm, S. (1979), Scand. J. Statist. 6, 65-70.
    """
    if not all(0.0 <= p <= 1.0 for p in pvalues):
        raise StatisticsError(f"p values lie in [0, 1], got {list(pvalues)}")
    order = sorted(range(len(pvalues)), key=lambda index: pvalues[index])
    adjusted = [1.0] * len(pvalues)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = running
    return tuple(adjusted)
