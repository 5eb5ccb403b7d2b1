"""Scores that are functions of sums over clusters: a share, a ratio of counts, a slope.

Everything that a bias suite reports is of this form. A cluster (a template, a target term, an
occupation) contributes M numbers, and the score is a function of their sums; so clusters can be
resampled whole by one matrix product, and two models can be swapped cluster by cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from debias_eval.statistics.bootstrap import Bootstrap, bca, resampled_counts
from debias_eval.statistics.clusters import Floats, as_rows
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.gap_change import absolute_change
from debias_eval.statistics.intervals import Estimate
from debias_eval.statistics.permutation import Statistic, swap_p

# Resamples of few clusters vary too little: at 10 the bootstrap covers about 90%, not 95%.
_FEWEST_CLUSTERS = 20

DistanceVerdict = Literal["improved", "worse", "inconclusive"]


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A score before and after, on the same clusters; see ``change_of_score``.

    Attributes:
        before: score of the first model.
        after: score of the second model.
        difference: after - before.
        distance: |after - ideal| - |before - ideal|; below 0 is less bias.
        ideal: the score of a model without the bias.
        p: swap-permutation p of "both models score alike".
    """

    before: Estimate
    after: Estimate
    difference: Estimate
    distance: Estimate
    ideal: float
    p: float

    def verdict(self, p_adjusted: float, level: float = 0.05) -> DistanceVerdict:
        """Return what may be said of the distance to the ideal.

        ``improved`` asks that the score before can be told from the ideal, that the whole interval
        of ``distance`` lies below 0, and that the p adjusted for all questions is at most
        ``level``; ``worse`` asks the mirror image of the score after. All else is inconclusive:
        no margin says which change would be too small to matter.
        """
        if p_adjusted <= level:
            if self.before.excludes(self.ideal) and self.distance.high < 0:
                return "improved"
            if self.after.excludes(self.ideal) and self.distance.low > 0:
                return "worse"
        return "inconclusive"

    def to_dict(self) -> dict[str, object]:
        """Return plain data, ``None`` for an infinite bound."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "difference": self.difference.to_dict(),
            "distance": self.distance.to_dict(),
            "ideal": self.ideal,
            "p_difference": self.p,
        }


def moment_bootstrap(
    moments: npt.ArrayLike, statistic: Statistic, *, plan: Bootstrap | None = None
) -> Estimate:
    """Return a score with its interval over clusters.

    BCa; below 20 clusters the t interval with the jackknife's standard error; for a single
    cluster the whole line.

    Args:
        moments: [C, M] the numbers of each cluster that the score sums up.
        statistic: takes [R, M] sums over clusters and returns [R] scores.
        plan: resamples, seed and confidence.

    Raises:
        StatisticsError: on no clusters or non-finite values.
    """
    plan = plan or Bootstrap()
    table = as_rows(moments)
    total = table.sum(axis=0)
    point = float(statistic(total[None])[0])
    if len(table) < 2:
        return Estimate(point, -np.inf, np.inf)
    left_out = statistic(total - table)
    if len(table) < _FEWEST_CLUSTERS:
        return _jackknife(point, left_out, plan)
    replicates = [statistic(counts @ table) for counts in resampled_counts(len(table), plan)]
    return bca(point, np.concatenate(replicates), left_out, plan)


def _jackknife(point: float, left_out: Floats, plan: Bootstrap) -> Estimate:
    """Return the t interval with the jackknife's standard error."""
    size = len(left_out)
    error = float(np.sqrt((size - 1) * left_out.var()))
    reach = float(stats.t.ppf(0.5 + plan.confidence / 2, size - 1)) * error
    return Estimate(point, point - reach, point + reach)


def change_of_score(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    statistic: Statistic,
    *,
    ideal: float,
    plan: Bootstrap | None = None,
) -> ScoreChange:
    """Return how a score and its distance to the ideal changed, on the same clusters.

    With b and a the two distances (signed), ``|a| < |b|`` says that a - b and a + b have opposite
    signs; both get an interval from the same clusters, and that of ``|a| - |b|`` follows. A score
    that only changed its side of the ideal therefore does not improve.

    Args:
        before: [C, M] numbers of each cluster under the first model.
        after: [C, M] the same clusters under the second model, in the same order.
        statistic: takes [R, M] sums over clusters and returns [R] scores.
        ideal: the score of a model without the bias.
        plan: resamples and seed, of the swaps too.

    Raises:
        StatisticsError: on no clusters, non-finite values, or shapes that differ.
    """
    plan = plan or Bootstrap()
    first, second = as_rows(before), as_rows(after)
    if first.shape != second.shape:
        raise StatisticsError(f"not paired: shapes {first.shape} and {second.shape}")
    both, width = np.hstack([first, second]), first.shape[1]

    def off(sums: Floats, sign: float) -> Floats:
        """Return (after - ideal) + sign·(before - ideal)."""
        return (statistic(sums[:, width:]) - ideal) + sign * (statistic(sums[:, :width]) - ideal)

    estimates = (
        moment_bootstrap(first, statistic, plan=plan),
        moment_bootstrap(second, statistic, plan=plan),
        moment_bootstrap(both, lambda sums: off(sums, -1.0), plan=plan),
    )
    total = moment_bootstrap(both, lambda sums: off(sums, 1.0), plan=plan)
    shifted = [_shifted(estimate, -ideal) for estimate in estimates[:2]]
    return ScoreChange(
        before=estimates[0],
        after=estimates[1],
        difference=estimates[2],
        distance=absolute_change(shifted[0], shifted[1], estimates[2], total),
        ideal=ideal,
        p=swap_p(first, second, statistic, permutations=plan.resamples, seed=plan.seed),
    )


def _shifted(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value + by, estimate.low + by, estimate.high + by)
