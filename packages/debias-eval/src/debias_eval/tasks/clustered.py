"""Scores that are functions of sums over clusters, and what can therefore be done with them.

A suite says which cluster a verdict belongs to (a template, a target term), which numbers a
cluster contributes, and which scores are made of the sums. From that follow intervals here and
the paired test of two models in ``debias_eval.comparison``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.results import Metrics
from debias_eval.tasks.generation import finite_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.jsonl import Row
    from debias_eval.statistics import Estimate
    from debias_eval.statistics.clusters import Floats
    from debias_eval.tasks.base import GradeSettings

__all__ = ["SCORED", "ClusterScore", "ClusteredTask", "Statistic", "share_of"]

SCORED = "scored"
"""The status of a verdict that takes part in the scores."""

Statistic: TypeAlias = Callable[["Floats"], "Floats"]
"""Takes [R, M] sums over clusters and returns [R] scores."""


@dataclass(frozen=True, slots=True)
class ClusterScore:
    """One score of a suite.

    Attributes:
        name: In the details and in a comparison.
        ideal: What a model without the bias gets; None where more or less is simply better.
        statistic: How it is made of the sums.
    """

    name: str
    ideal: float | None
    statistic: Statistic


def share_of(part: int, whole: int, *, scale: float = 1.0, empty: float = 0.0) -> Statistic:
    """Return the statistic ``scale · sum[part] / sum[whole]``; ``empty`` where nothing is whole."""

    def share(sums: Floats) -> Floats:
        size = sums[:, whole]
        ratio: Floats = scale * sums[:, part] / (size + (size == 0.0))
        ratio[size == 0.0] = empty
        return ratio

    return share


class ClusteredTask(ABC):
    """A suite whose scores are functions of sums over clusters; the first score is the headline."""

    cluster_scores: ClassVar[tuple[ClusterScore, ...]]

    @abstractmethod
    def cluster_moments(self, rows: Sequence[Row]) -> Sequence[float]:
        """Return the numbers that the ``scored`` verdicts of one cluster add to the sums."""

    def cluster_of(self, row: Row) -> str:
        """Return the cluster of a verdict."""
        return str(row["cluster_id"])

    def moments(self, verdicts: Sequence[Row]) -> dict[str, Sequence[float]]:
        """Return the numbers of every cluster with a scored verdict, by name in sorted order."""
        clusters: dict[str, list[Row]] = defaultdict(list)
        for row in verdicts:
            if row["status"] == SCORED:
                clusters[self.cluster_of(row)].append(row)
        return {name: self.cluster_moments(clusters[name]) for name in sorted(clusters)}

    def clustered_metrics(self, verdicts: Sequence[Row], settings: GradeSettings) -> Metrics:
        """Return the headline with its interval over clusters; all scores are in the details."""
        counts = dict(sorted(Counter(str(row["status"]) for row in verdicts).items()))
        headline = self.cluster_scores[0]
        details: dict[str, object] = {} if headline.ideal is None else {"ideal": headline.ideal}
        moments = list(self.moments(verdicts).values())
        if not moments:
            return Metrics(None, None, 0, None, counts, details)
        plan = statistics.Bootstrap(settings.resamples)
        found = {
            score.name: statistics.moment_bootstrap(moments, score.statistic, plan=plan)
            for score in self.cluster_scores
        }
        details |= {"num_clusters": len(moments)}
        details |= {name: _shown(estimate) for name, estimate in found.items()}
        first = found[headline.name]
        interval = finite_interval(first.low, first.high)
        if first.low == first.high:
            details["note"] = (
                "every cluster gave the same, so the interval has no width; it says little about "
                "other items"
            )
        return Metrics(first.value, interval, counts[SCORED], None, counts, details)


def _shown(estimate: Estimate) -> dict[str, object]:
    return {"value": estimate.value, "interval": finite_interval(estimate.low, estimate.high)}
