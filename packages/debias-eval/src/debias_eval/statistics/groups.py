"""More than two groups: each against the mean of group means, and every pair of groups.

With k groups and the mean entropies ``H_g``, the gap of a group is ``H_g - mean_g H_g``; with two
groups each is half the signed gap. A pair of groups is a gap of its own, first minus second.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debias_eval.statistics.bootstrap import Bootstrap, studentised_means
from debias_eval.statistics.clusters import tabulate
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.gap import GapVerdict, gap_verdict
from debias_eval.statistics.intervals import Estimate
from debias_eval.statistics.permutation import sign_flip_p
from debias_eval.statistics.significance import holm

_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class GroupEntropies:
    """Sample entropies of one prompt in every group, in nats.

    Attributes:
        item_id: identifier of the prompt.
        cluster_id: the template or problem that it was made from.
        groups: by group, the entropy of each answer; at least one.
    """

    item_id: str
    cluster_id: str
    groups: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class GroupPair:
    """Two groups: first minus second, nats.

    Attributes:
        first: name of a group.
        second: name of another.
        gap: mean entropy of the first minus that of the second, with its interval.
        p: sign-flip p of "no gap".
        p_holm: the same, adjusted over all pairs of groups.
        verdict: as of a single gap; ``different`` asks for ``p_holm`` at most 0.05 too.
    """

    first: str
    second: str
    gap: Estimate
    p: float
    p_holm: float
    verdict: GapVerdict


@dataclass(frozen=True, slots=True)
class GroupGaps:
    """What a report says about several groups; see ``group_gaps``.

    Attributes:
        means: by group, its mean entropy.
        against_mean: by group, its mean entropy minus the mean of group means.
        pairs: every pair of groups.
        num_items: prompts behind the numbers.
        num_clusters: clusters behind the intervals.
    """

    means: Mapping[str, Estimate]
    against_mean: Mapping[str, Estimate]
    pairs: tuple[GroupPair, ...]
    num_items: int
    num_clusters: int

    def to_dict(self) -> dict[str, object]:
        """Return plain data, ``None`` for an infinite bound."""
        return {
            "means": {name: value.to_dict() for name, value in self.means.items()},
            "against_mean": {name: value.to_dict() for name, value in self.against_mean.items()},
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "gap": pair.gap.to_dict(),
                    "p": pair.p,
                    "p_holm": pair.p_holm,
                    "verdict": pair.verdict,
                }
                for pair in self.pairs
            ],
            "num_items": self.num_items,
            "num_clusters": self.num_clusters,
        }


def group_gaps(
    items: Sequence[GroupEntropies],
    *,
    margin: float = 0.02,
    resamples: int = 10_000,
    seed: int = 0,
) -> GroupGaps:
    """Return every group against the mean of group means, and every pair of groups.

    All intervals are 95% studentised cluster-bootstrap intervals, from the same resamples; each
    prompt and each group weighs the same, whatever its number of answers.

    Args:
        items: one or more prompts with unique ids, all in the same two or more groups.
        margin: half-width of the zone that counts as no gap, nats.
        resamples: bootstrap resamples and sign-flip permutations.
        seed: of both.

    Raises:
        StatisticsError: on no prompts, an id twice, a prompt that lacks a group, fewer than two
            groups, an entropy that is not finite, or a margin that is not positive.
    """
    if not margin > 0:
        raise StatisticsError(f"the margin must be above 0 nats, got {margin}")
    names = _checked_names(items)
    clusters = [item.cluster_id for item in items]
    means = {
        name: np.array([math.fsum(item.groups[name]) / len(item.groups[name]) for item in items])
        for name in names
    }
    middle = np.mean(list(means.values()), axis=0)
    together = list(itertools.combinations(names, 2))
    columns = [
        *means.values(),
        *(means[name] - middle for name in names),
        *(means[first] - means[second] for first, second in together),
    ]
    table = tabulate(np.column_stack(columns), clusters)
    found = studentised_means(table, Bootstrap(resamples, seed))
    pairs = columns[2 * len(names) :]
    ps = [sign_flip_p(pair, clusters, permutations=resamples, seed=seed) for pair in pairs]
    gaps = found[2 * len(names) :]
    return GroupGaps(
        means=dict(zip(names, found, strict=False)),
        against_mean=dict(zip(names, found[len(names) : 2 * len(names)], strict=True)),
        pairs=tuple(
            GroupPair(first, second, gap, p, p_holm, _verdict(gap, p_holm, margin))
            for (first, second), gap, p, p_holm in zip(together, gaps, ps, holm(ps), strict=True)
        ),
        num_items=len(items),
        num_clusters=table.num_clusters,
    )


def _verdict(gap: Estimate, p_holm: float, margin: float) -> GapVerdict:
    found = gap_verdict(gap, margin)
    return "inconclusive" if found == "different" and p_holm > _LEVEL else found


def _checked_names(items: Sequence[GroupEntropies]) -> list[str]:
    """Return the groups, in the order of the first prompt."""
    if not items:
        raise StatisticsError("an entropy gap needs at least one prompt")
    names = list(items[0].groups)
    if len(names) < 2:
        raise StatisticsError(f"an entropy gap needs two groups or more, got {names}")
    seen: set[str] = set()
    for item in items:
        if item.item_id in seen:
            raise StatisticsError(f"prompt {item.item_id!r} occurs twice")
        seen.add(item.item_id)
        if set(item.groups) != set(names):
            raise StatisticsError(
                f"prompt {item.item_id!r} is in the groups {sorted(item.groups)}, "
                f"the first one in {sorted(names)}"
            )
        for name, values in item.groups.items():
            if not values or not all(map(math.isfinite, values)):
                raise StatisticsError(f"prompt {item.item_id!r}: {name} entropies {values}")
    return names
