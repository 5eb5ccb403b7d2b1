"""How many answers a look draws: until it is plain whether the gap is inside the target.

A look begins with a part of the clusters and ends there if their interval lies wholly outside the
target, as it does for most of a run; else it goes on to all pairs. A look that is to confirm the
one before draws as many answers again if all pairs leave open whether a gap that seems to be inside
really is. The first can never stop a run for nothing, since only a look at all pairs can be inside;
what the second costs is in `docs/statistics.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from debias_core.config import TrainConfig
from debias_core.training.statistics import GapEstimate, estimate_gap

_FIRST_PART = 4  # one cluster in so many
_FEWEST_CLUSTERS = 32  # that a look may begin with: an interval of fewer is too coarse to end it

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Draw:
    """Answers that are drawn at once.

    Attributes:
        pairs: whose prompts are answered.
        samples: which of the answers of every prompt these are.
    """

    pairs: range
    samples: range


def draws_of_a_look(
    cluster_sizes: Sequence[int], config: TrainConfig, *, confirming: bool
) -> list[Draw]:
    """Returns what a look draws, one after the other while it is not settled.

    Args:
        cluster_sizes: pairs of every cluster, in the order of the pairs.
        config: without early stopping nothing hangs on a look, and one draw is all.
        confirming: the look before was inside.
    """
    pairs, samples = range(sum(cluster_sizes)), config.dev_samples
    draws = [Draw(pairs, range(samples))]
    if not config.early_stopping:
        return draws
    few = len(cluster_sizes) // _FIRST_PART
    if few >= _FEWEST_CLUSTERS:
        first = sum(cluster_sizes[:few])
        draws = [Draw(part, range(samples)) for part in (pairs[:first], pairs[first:])]
    if confirming:
        draws.append(Draw(pairs, range(samples, 2 * samples)))
    return draws


def look_until_settled(
    draws: Sequence[Draw],
    measure: Callable[[Draw], Floats],
    *,
    clusters: Sequence[str],
    target: float,
) -> tuple[Floats, GapEstimate]:
    """Returns all that was measured, and the gap that has to be inside the target for all to be.

    Args:
        draws: in order.
        measure: of the answers of a draw [pairs, groups, samples, values], the entropy first.
        clusters: cluster id of every pair.
        target: nats.
    """
    measured = measure(draws[0])
    gaps = estimate_gaps(measured[..., 0].mean(-1), clusters[: len(measured)])
    for draw in draws[1:]:
        whole = len(measured) == len(clusters)
        if _settled(gaps, target, whole=whole):
            break
        # a draw is of further pairs, or of further answers to all of them
        measured = np.concatenate([measured, measure(draw)], axis=2 if whole else 0)
        gaps = estimate_gaps(measured[..., 0].mean(-1), clusters[: len(measured)])
    return measured, max(gaps, key=lambda gap: max(-gap.low, gap.high))


def _settled(gaps: Sequence[GapEstimate], target: float, *, whole: bool) -> bool:
    """Whether more answers are not worth their time; `whole` says that all pairs have some."""
    if not whole:
        return any(gap.outside(target) for gap in gaps)
    if all(gap.inside(target) for gap in gaps):
        return True
    return any(abs(gap.gap) >= target for gap in gaps)  # they could only confirm that it is outside


def estimate_gaps(sides: Floats, clusters: Sequence[str]) -> list[GapEstimate]:
    """Returns the gaps that have to be inside a target, nats: of two groups their signed one.

    Of more, every group's to the mean of the group means.

    Args:
        sides: mean entropy of every pair's sides, [pairs, groups].
        clusters: cluster id of every pair.
    """
    if sides.shape[1] == 2:
        return [estimate_gap(list(sides[:, 0] - sides[:, 1]), clusters)]
    gaps = sides - sides.mean(axis=1, keepdims=True)
    return [estimate_gap(list(column), clusters) for column in gaps.T]
