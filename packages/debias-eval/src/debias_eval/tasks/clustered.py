"""Scores that are functions of sums over clusters, and what can therefore be done with them.

A suite says which cluster a verdict belongs to (a template, a target term), which numbers a
cluster contributes, and which scores are made of the sums. From that follow intervals here and
the paired test of two models in ``debias_eval.comparison``.

``ClusteredLikelihood`` is the frame of the suites that read probabilities: what is left to a suite
is its reader, its queries, and what the likelihoods of one item say (``judge``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.results import Metrics
from debias_eval.tasks.generation import finite_interval, status_counts
from debias_eval.tasks.likelihood import LikelihoodTask, scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.statistics import Estimate
    from debias_eval.statistics.clusters import Floats
    from debias_eval.tasks.base import GradeSettings, Item
    from debias_eval.tasks.likelihood import TextScore

__all__ = [
    "SCORED",
    "ClusterScore",
    "ClusteredLikelihood",
    "ClusteredTask",
    "Graded",
    "Statistic",
    "share_of",
]

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
        best: Where there is no such ideal, the end of the scale that is better: two models are
            compared by their distance to it. None for a score that is only shown.
    """

    name: str
    ideal: float | None
    statistic: Statistic
    best: float | None = None

    @property
    def target(self) -> float | None:
        """Return what the distance of a score is measured to."""
        return self.best if self.ideal is None else self.ideal


@dataclass(frozen=True, slots=True)
class Graded:
    """What the details of a suite are made of."""

    items: Sequence[Item]
    verdicts: Sequence[Row]
    settings: GradeSettings

    @property
    def scored(self) -> list[Row]:
        """Return the verdicts that take part in the scores."""
        return [row for row in self.verdicts if row["status"] == SCORED]


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
        """Return the numbers that the verdicts of one cluster that count add to the sums."""

    def cluster_of(self, row: Row) -> str:
        """Return the cluster of a verdict."""
        return str(row["cluster_id"])

    def takes_part(self, row: Row) -> bool:
        """Return whether a verdict counts in the scores."""
        return row["status"] == SCORED

    def moments(self, verdicts: Sequence[Row]) -> dict[str, Sequence[float]]:
        """Return the numbers of every cluster with a verdict that counts, in sorted order."""
        clusters: dict[str, list[Row]] = defaultdict(list)
        for row in verdicts:
            if self.takes_part(row):
                clusters[self.cluster_of(row)].append(row)
        return {name: self.cluster_moments(clusters[name]) for name in sorted(clusters)}

    def details_of(self, graded: Graded) -> Mapping[str, object]:  # noqa: ARG002
        """Return what a suite adds to its details; None for its headline means "no score"."""
        return {}

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002 - the verdicts say it all
        settings: GradeSettings,
    ) -> Metrics:
        """Return the headline with its interval over clusters; all else is in the details."""
        metrics = self.clustered_metrics(verdicts, settings)
        more = self.details_of(Graded(items, verdicts, settings))
        metrics = replace(metrics, details={**metrics.details, **more})
        name = self.cluster_scores[0].name
        if name in more and more[name] is None:
            return replace(metrics, score=None, interval=None)
        return metrics

    def clustered_metrics(self, verdicts: Sequence[Row], settings: GradeSettings) -> Metrics:
        """Return the scores of the verdicts, without what the suite adds."""
        counts = status_counts(verdicts)
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
        size = sum(map(self.takes_part, verdicts))
        return Metrics(first.value, interval, size, None, counts, details)


class ClusteredLikelihood(ClusteredTask, LikelihoodTask):
    """A suite whose verdict on an item is read off the likelihoods of its texts."""

    def about(self, item: Item) -> Row:
        """Return what every verdict on an item says of it, its cluster among that."""
        return {"cluster_id": item.fields["cluster_id"]}

    def left_out(self, item: Item) -> Row | None:  # noqa: ARG002 - subclasses read it
        """Return the status of an item that is not asked, and why; None for all others."""
        return None

    @abstractmethod
    def judge(self, item: Item, scores: Mapping[str, TextScore]) -> Row:
        """Return what the likelihoods say; the status is ``scored`` unless it says another."""

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,  # noqa: ARG002
    ) -> list[Row]:
        """Return one verdict an item: ``scored``, ``too_long``, or another that the suite gives."""
        return [self._verdict(item, row) for item, row in zip(items, responses, strict=True)]

    def _verdict(self, item: Item, response: Row) -> Row:
        common: Row = {"id": item.id, "sample": 0, **self.about(item)}
        left_out = self.left_out(item)
        if left_out is not None:
            return {**common, **left_out}
        scores = scores_of(response)
        if scores is None:
            return {**common, "status": "too_long"}
        return {**common, "status": SCORED, **self.judge(item, scores)}


def _shown(estimate: Estimate) -> dict[str, object]:
    return {"value": estimate.value, "interval": finite_interval(estimate.low, estimate.high)}
