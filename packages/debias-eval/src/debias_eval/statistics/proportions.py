"""Was a score kept? Score interval of a paired difference, and non-inferiority with a margin.

A bootstrap of 0/1 outcomes fails exactly where a claim is easiest to make: when no item changed,
every resample says 0 and the interval has no width, at 5 items as at 5,000. Tango's score
interval does not: five unchanged items leave a drop of 43 points possible.

Source: Tango, T. (1998), "Equivalence test and confidence interval for the difference in
proportions for the paired-sample design", Statistics in Medicine 17, 891-908.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from debias_eval.statistics.clusters import Floats, as_rows, tabulate
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.intervals import Estimate, Interval, check_confidence
from debias_eval.statistics.power import minimum_detectable_difference

CapabilityVerdict = Literal["preserved", "dropped", "inconclusive", "cannot_be_shown"]

# With fewer clusters that changed at all, their spread is itself unknown.
_FEWEST_CHANGES = 10
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a candidate's score is within a margin below the baseline's, on the same items.

    Attributes:
        baseline: the baseline's score, 0 to 1.
        candidate: the candidate's score, 0 to 1.
        difference: candidate - baseline, with its score interval.
        margin: the drop that counts as too much, in points of the score.
        margin_relative: the same as a share of the baseline's score.
        detectable: smallest true difference that these items show in 80% of comparisons.
        p: one-sided p of "the drop is at least the margin"; None where it cannot be shown.
        verdict: ``preserved`` (interval above -margin), ``dropped`` (interval below -margin),
            ``inconclusive``, or ``cannot_be_shown`` (the baseline solved nothing, so there was
            nothing to keep).
    """

    baseline: float
    candidate: float
    difference: Estimate
    margin: float
    margin_relative: float
    detectable: float
    p: float | None
    verdict: CapabilityVerdict

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "difference": self.difference.to_dict(),
            "margin": self.margin,
            "margin_relative": self.margin_relative,
            "detectable": self.detectable,
            "p": self.p,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class _Discordance:
    """Mass of items gained and lost among ``trials`` (all three may be fractional)."""

    gained: float
    lost: float
    trials: float

    @property
    def difference(self) -> float:
        return (self.gained - self.lost) / self.trials

    def score(self, difference: float) -> tuple[float, float]:
        """Return (observed minus expected sum, its standard deviation) if ``difference`` holds.

        The second comes from the maximum-likelihood estimate of the share of lost items under
        that hypothesis (Tango's equation 10).
        """
        a = 2 * self.trials
        b = -self.gained - self.lost + (a - self.gained + self.lost) * difference
        c = -self.lost * difference * (1 - difference)
        lost_share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = self.trials * (2 * lost_share + difference * (1 - difference))
        return self.gained - self.lost - self.trials * difference, math.sqrt(max(0.0, variance))

    def interval(self, confidence: float) -> Interval:
        """Return the differences that the two-sided score test does not reject."""
        z = float(stats.norm.ppf(0.5 + confidence / 2))

        def below(difference: float) -> float:
            shift, deviation = self.score(difference)
            return shift - z * deviation

        def above(difference: float) -> float:
            shift, deviation = self.score(difference)
            return shift + z * deviation

        # The estimate itself is a root where no item changed: start a hair outside it.
        inner_low = self.difference - _HAIR
        inner_high = self.difference + _HAIR
        low = -1.0 if inner_low <= -1.0 else _root(below, -1.0, inner_low)
        high = 1.0 if inner_high >= 1.0 else _root(above, inner_high, 1.0)
        return Interval(low, high)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where ``function``, above 0 at ``low`` and below at ``high``, crosses 0."""
    if function(low) <= 0.0:
        return low
    if function(high) >= 0.0:
        return high
    return float(optimize.brentq(function, low, high, xtol=1e-12))


def paired_score_interval(gained: int, lost: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """Return (gained - lost)/n with Tango's score interval.

    Args:
        gained: items that only the candidate solved.
        lost: items that only the baseline solved.
        n: all items.
        confidence: coverage.

    Raises:
        StatisticsError: on impossible counts.
    """
    if n < 1 or gained < 0 or lost < 0 or gained + lost > n:
        raise StatisticsError(f"impossible counts: {gained} gained, {lost} lost of {n}")
    discordance = _Discordance(gained, lost, n)
    interval = discordance.interval(check_confidence(confidence))
    return Estimate(discordance.difference, interval.low, interval.high)


def non_inferiority(
    baseline_outcomes: npt.ArrayLike,
    candidate_outcomes: npt.ArrayLike,
    *,
    margin_relative: float = 0.05,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> NonInferiority:
    """Return whether the candidate kept the baseline's score, within a relative margin.

    ``preserved`` means that the whole two-sided interval of candidate - baseline lies above
    ``-margin_relative · baseline score``: a one-sided test at (1 - confidence)/2, so the verdict
    and the printed interval never disagree. The observed baseline score fixes the margin.

    One 0/1 outcome an item gives Tango's interval as published. Shares (several samples an item)
    and clusters give the same interval at the number of trials that would have had the
    cluster-robust variance; while fewer than 10 clusters changed, at no more trials than clusters.

    Args:
        baseline_outcomes: [n] outcomes in [0, 1], item by item.
        candidate_outcomes: [n] outcomes of the same items in the same order.
        margin_relative: largest acceptable drop as a share of the baseline's score.
        clusters: n identifiers of items that belong together; ``None``: each its own.
        confidence: coverage of the interval.

    Raises:
        StatisticsError: on no items, lengths that differ, outcomes outside [0, 1], or a margin
            outside (0, 1).
    """
    before, after = as_rows(baseline_outcomes)[:, 0], as_rows(candidate_outcomes)[:, 0]
    if len(before) != len(after):
        raise StatisticsError(f"not paired: {len(before)} and {len(after)} outcomes")
    if min(before.min(), after.min()) < 0 or max(before.max(), after.max()) > 1:
        raise StatisticsError("outcomes lie in [0, 1]: 1 solved, 0 not, a share for samples")
    if not 0 < margin_relative < 1:
        raise StatisticsError(f"the relative margin must be in (0, 1), got {margin_relative}")
    discordance = _discordance(after - before, clusters)
    interval = discordance.interval(check_confidence(confidence))
    value = float(after.mean() - before.mean())
    difference = Estimate(value, min(interval.low, value), max(interval.high, value))
    margin = margin_relative * float(before.mean())
    return NonInferiority(
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        difference=difference,
        margin=margin,
        margin_relative=margin_relative,
        detectable=_detectable(discordance, confidence),
        p=None if margin == 0 else _drop_p(discordance, margin),
        verdict=_verdict(difference, margin),
    )


def _verdict(difference: Estimate, margin: float) -> CapabilityVerdict:
    if margin == 0:
        return "cannot_be_shown"
    if difference.low > -margin:
        return "preserved"
    return "dropped" if difference.high < -margin else "inconclusive"


def _drop_p(discordance: _Discordance, margin: float) -> float:
    shift, deviation = discordance.score(-margin)
    if deviation == 0:
        return 0.0 if shift > 0 else 1.0
    return float(stats.norm.sf(shift / deviation))


def _detectable(discordance: _Discordance, confidence: float) -> float:
    """Return the smallest difference told from 0 in 80% of comparisons, at most 1.

    One item more is taken to change than did, so that a quiet comparison does not claim to be
    infinitely sharp; and McNemar's test needs about six items that all go one way at 95%.
    """
    trials = discordance.trials
    rate = (discordance.gained + discordance.lost + 1) / (trials + 2)
    error = math.sqrt(max(rate - discordance.difference**2, 1 / (trials + 2)) / trials)
    one_way = 1 - math.log2(1 - confidence)
    floor = math.ceil(one_way) / trials
    normal = minimum_detectable_difference(error, confidence=confidence)
    return min(1.0, max(normal, floor))


def _discordance(change: Floats, clusters: Sequence[Hashable] | None) -> _Discordance:
    """Return the mass gained and lost, at the number of trials that the variance is worth."""
    num_items = len(change)
    gained = float(change[change > 0].sum())
    lost = float(-change[change < 0].sum())
    is_binary = bool(np.all(np.isin(change, (-1.0, 0.0, 1.0))))
    table = tabulate(change, clusters)
    if is_binary and table.num_clusters == num_items:
        return _Discordance(gained, lost, num_items)
    trials = float(table.num_clusters)
    error = float(table.standard_errors()[0])
    unit_variance = (gained + lost) / num_items - ((gained - lost) / num_items) ** 2
    if math.isfinite(error) and error > 0 and unit_variance > 0:
        worth = unit_variance / error**2
        settled = int(np.count_nonzero(table.sums[:, 0])) >= _FEWEST_CHANGES
        trials = worth if settled else min(worth, trials)
    share = trials / num_items
    return _Discordance(gained * share, lost * share, trials)
