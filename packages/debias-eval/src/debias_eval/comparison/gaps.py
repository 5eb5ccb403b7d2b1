"""The entropy gap of two models, paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from debias_eval.comparison.loading import ResultFolder
from debias_eval.errors import InputError
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.gap import GapStatistics, PairEntropies, gap_statistics
from debias_eval.statistics.gap_change import GapChange, compare_gaps
from debias_eval.statistics.groups import GroupGaps, group_gaps

GAP = "entropy_gap"
"""Name of the benchmark that holds the entropy gap."""


@dataclass(frozen=True, slots=True)
class GapComparison:
    """The entropy gap of both models on the same pairs.

    Attributes:
        before: the original's gap.
        after: the candidate's gap.
        change: what changed, pair by pair.
        details_before: what else the evaluation recorded (answer lengths, null rows).
        details_after: the same for the candidate.
        num_left_out: pairs that only one of the two models could answer.
        groups_before: the original over more than two groups, where they were measured.
        groups_after: the same for the candidate.
    """

    before: GapStatistics
    after: GapStatistics
    change: GapChange
    details_before: Mapping[str, object]
    details_after: Mapping[str, object]
    num_left_out: int = 0
    groups_before: GroupGaps | None = None
    groups_after: GroupGaps | None = None

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "change": self.change.to_dict(),
            "details_before": dict(self.details_before),
            "details_after": dict(self.details_after),
            "num_left_out": self.num_left_out,
            "groups_before": None if self.groups_before is None else self.groups_before.to_dict(),
            "groups_after": None if self.groups_after is None else self.groups_after.to_dict(),
        }


def compare_gap(
    baseline: ResultFolder, candidate: ResultFolder, *, margin: float, plan: Bootstrap
) -> GapComparison | str:
    """Return the paired gap, or the reason why the two are not of the same pairs.

    A pair may be missing on one side because a prompt left no room for an answer; the evaluation
    counts those, and the comparison runs over the pairs that both answered. Any other difference
    in pairs means different data.

    Args:
        baseline: the original's results, with an entropy gap.
        candidate: the changed model's results, with an entropy gap.
        margin: half-width of the zone that counts as no gap, nats.
        plan: resamples and seed.

    Raises:
        MissingError: ``pairs.jsonl`` is not there.
        InputError: it is damaged, or a pair changed its cluster.
    """
    before, after = baseline.pairs(GAP), candidate.pairs(GAP)
    details_before = baseline.benchmarks[GAP].details
    details_after = candidate.benchmarks[GAP].details
    ids_before, ids_after = _ids(before), _ids(after)
    only_before, only_after = ids_before - ids_after, ids_after - ids_before
    if len(only_before) > _left_out(details_after) or len(only_after) > _left_out(details_before):
        example = min(only_before or only_after)
        return (
            f"different pairs: {len(only_before)} only for the original, "
            f"{len(only_after)} only for the candidate, for example {example!r}"
        )
    both = ids_before & ids_after
    if not both:
        return "no pair was answered by both models"
    before = [pair for pair in before if pair.pair_id in both]
    after = [pair for pair in after if pair.pair_id in both]
    resamples, seed = plan.resamples, plan.seed
    return GapComparison(
        before=gap_statistics(before, margin=margin, resamples=resamples, seed=seed),
        after=gap_statistics(after, margin=margin, resamples=resamples, seed=seed),
        change=compare_gaps(before, after, margin=margin, resamples=resamples, seed=seed),
        details_before=details_before,
        details_after=details_after,
        num_left_out=len(only_before) + len(only_after),
        groups_before=measured_groups(baseline, margin=margin, plan=plan),
        groups_after=measured_groups(candidate, margin=margin, plan=plan),
    )


def measured_groups(folder: ResultFolder, *, margin: float, plan: Bootstrap) -> GroupGaps | None:
    """Return the gaps of one model over more than two groups; None where there are only two.

    Args:
        folder: results with an entropy gap.
        margin: half-width of the zone that counts as no gap, nats.
        plan: resamples and seed.

    Raises:
        InputError: ``groups.jsonl`` is damaged, or a prompt in it lacks a group.
    """
    rows = folder.groups(GAP)
    if not rows:
        return None
    try:
        return group_gaps(rows, margin=margin, resamples=plan.resamples, seed=plan.seed)
    except StatisticsError as error:
        raise InputError(f"{folder.part(GAP) / 'groups.jsonl'}: {error}") from error


def _ids(pairs: Sequence[PairEntropies]) -> set[str]:
    return {pair.pair_id for pair in pairs}


def _left_out(details: Mapping[str, object]) -> int:
    count = details.get("pairs_left_out", 0)
    return count if isinstance(count, int) else 0
