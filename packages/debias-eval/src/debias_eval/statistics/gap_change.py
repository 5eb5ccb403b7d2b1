"""Did an entropy gap shrink? Two models on the same pairs, by their absolute gaps.

Two separate intervals say little about a change, and a drop between two single batches says
nothing at all: with no training, such a drop shows in a quarter of runs. Here the change is taken
pair by pair, clusters are resampled whole, and "improved" needs a gap that was there before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from debias_eval.statistics.bootstrap import Bootstrap, studentised_means
from debias_eval.statistics.clusters import ClusterTable, Floats, tabulate
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.gap import PairEntropies, check_pairs, side_means
from debias_eval.statistics.intervals import Estimate
from debias_eval.statistics.permutation import sign_flip_p

ChangeVerdict = Literal["improved", "worse", "no_difference_shown", "inconclusive"]

_CONFIDENCE = 0.95
# Several candidates stand beside each other in one report: a claim of change at 1% each keeps the
# chance of any false one in a report of five below 5%.
CLAIM_LEVEL = 0.01
"""Largest p that a claim about a gap may rest on."""


@dataclass(frozen=True, slots=True)
class GapChange:
    """What changed in a gap, in nats; see ``compare_gaps``.

    Attributes:
        before: signed gap of the first model.
        after: signed gap of the second model.
        signed_change: after - before, pair by pair.
        change: |after| - |before|; below 0 is less bias.
        relative: change as a share of |before|; None unless the interval of ``before``
            excludes 0.
        p: sign-flip p of "the absolute gaps are equal".
        margin: the change that would matter, nats.
        num_pairs: pairs that both models answered.
        num_clusters: clusters behind the intervals.
        verdict: ``improved``, ``worse``, ``no_difference_shown`` or ``inconclusive``.
        notes: what a reader has to know to read the numbers.
    """

    before: Estimate
    after: Estimate
    signed_change: Estimate
    change: Estimate
    relative: Estimate | None
    p: float
    margin: float
    num_pairs: int
    num_clusters: int
    verdict: ChangeVerdict
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain data, ``None`` for what is missing or infinite."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "signed_change": self.signed_change.to_dict(),
            "change": self.change.to_dict(),
            "relative": None if self.relative is None else self.relative.to_dict(),
            "p": self.p,
            "margin": self.margin,
            "num_pairs": self.num_pairs,
            "num_clusters": self.num_clusters,
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


def compare_gaps(
    before: Sequence[PairEntropies],
    after: Sequence[PairEntropies],
    *,
    margin: float = 0.02,
    resamples: int = 10_000,
    seed: int = 0,
) -> GapChange:
    """Return the paired change of the absolute gap, with intervals and a verdict.

    With b the gap before and a the gap after, ``|a| < |b|`` says that a - b and a + b have
    opposite signs, ``|a| > |b|`` that they have the same one. Both get a studentised paired
    interval, and a verdict needs both (an intersection-union test, so each at its full level):

    - ``improved``: the interval before excludes 0, the interval of |a| - |b| lies below 0, the
      sign-flip p is below 0.01 and the relative change's interval lies below 0.
    - ``worse``: the interval after excludes 0, that of |a| - |b| lies above 0, p is below 0.01.
    - ``no_difference_shown``: neither, and the interval of |a| - |b| lies inside ±margin, so
      that a change that matters is ruled out.
    - ``inconclusive``: neither, and a change larger than the margin remains possible.

    A gap before that cannot be told from 0 therefore never "improves".

    Args:
        before: pairs of the first model.
        after: the same pair ids of the second model, in any order.
        margin: the change that would matter, nats.
        resamples: bootstrap resamples and sign-flip permutations.
        seed: of both.

    Raises:
        StatisticsError: on no pairs, pair ids or clusters that differ, or a bad margin.
    """
    if not margin > 0:
        raise StatisticsError(f"the margin must be above 0 nats, got {margin}")
    after = _aligned(before, after)
    clusters = [pair.cluster_id for pair in before]
    gaps_before, gaps_after = _gaps(before), _gaps(after)
    difference, total = gaps_after - gaps_before, gaps_after + gaps_before
    table = tabulate(np.column_stack([gaps_before, gaps_after, difference, total]), clusters)
    estimates = studentised_means(table, Bootstrap(resamples, seed, _CONFIDENCE))
    relative = _relative_change(table) if estimates[0].excludes(0.0) else None
    p = max(
        sign_flip_p(column, clusters, permutations=resamples, seed=seed)
        for column in (difference, total)
    )
    change = absolute_change(*estimates)
    return GapChange(
        before=estimates[0],
        after=estimates[1],
        signed_change=estimates[2],
        change=change,
        relative=relative,
        p=p,
        margin=margin,
        num_pairs=len(before),
        num_clusters=table.num_clusters,
        verdict=_verdict(estimates, change, relative, p=p, margin=margin),
        notes=(*_same_samples(difference), *_notes(estimates[0], change, relative, p)),
    )


def _aligned(
    before: Sequence[PairEntropies], after: Sequence[PairEntropies]
) -> list[PairEntropies]:
    """Return ``after`` in the order of ``before``."""
    check_pairs(before)
    check_pairs(after)
    found = {pair.pair_id: pair for pair in after}
    lacking = [pair.pair_id for pair in before if pair.pair_id not in found]
    known = {pair.pair_id for pair in before}
    extra = [pair.pair_id for pair in after if pair.pair_id not in known]
    if lacking or extra:
        raise StatisticsError(
            "the two gaps are not of the same pairs: "
            f"{len(lacking)} only before, {len(extra)} only after, "
            f"for example {(lacking or extra)[0]!r}"
        )
    for pair in before:
        other = found[pair.pair_id].cluster_id
        if other != pair.cluster_id:
            raise StatisticsError(
                f"pair {pair.pair_id!r} is of cluster {pair.cluster_id!r} before "
                f"and of {other!r} after"
            )
    return [found[pair.pair_id] for pair in before]


def _gaps(pairs: Sequence[PairEntropies]) -> Floats:
    female, male = side_means(pairs)
    return female - male


def absolute_change(
    before: Estimate, after: Estimate, difference: Estimate, total: Estimate
) -> Estimate:
    """Return |a| - |b| from the intervals of a - b and a + b.

    ``|a| - |b| = max(min(a-b, a+b), -max(a-b, a+b))``, monotone in each bound.
    """
    value = abs(after.value) - abs(before.value)
    low = max(min(difference.low, total.low), -max(difference.high, total.high))
    high = max(min(difference.high, total.high), -max(difference.low, total.low))
    return Estimate(value, min(low, value), max(high, value))


def _relative_change(table: ClusterTable) -> Estimate | None:
    """Return |a/b| - 1 with Fieller's interval, None where the ratio has no bounded one.

    Fieller inverts the t test of ``a - r·b = 0`` (cluster-robust, C - 1 degrees of freedom); it
    is bounded exactly where that test tells b from 0.
    """
    num_clusters = table.num_clusters
    if num_clusters < 2:
        return None
    before, after = table.means[:2].tolist()
    residual = table.sums[:, :2] - table.counts[:, None] * table.means[:2]
    scale = num_clusters / (num_clusters - 1) / table.counts.sum() ** 2
    var_b, cross, _, var_a = (scale * (residual.T @ residual)).ravel().tolist()
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, num_clusters - 1)) ** 2
    a = before**2 - reach * var_b
    if a <= 0:
        return None
    b = before * after - reach * cross
    root = math.sqrt(max(0.0, b * b - a * (after**2 - reach * var_a)))
    low, high = (b - root) / a, (b + root) / a
    nearest = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    value = abs(after / before) - 1.0
    farthest = max(abs(low), abs(high))
    return Estimate(value, min(nearest - 1.0, value), max(farthest - 1.0, value))


def _verdict(
    estimates: Sequence[Estimate],
    change: Estimate,
    relative: Estimate | None,
    *,
    p: float,
    margin: float,
) -> ChangeVerdict:
    is_significant = p < CLAIM_LEVEL
    smaller = change.high < 0 and relative is not None and relative.high < 0
    if estimates[0].excludes(0.0) and smaller and is_significant:
        return "improved"
    if estimates[1].excludes(0.0) and change.low > 0 and is_significant:
        return "worse"
    return "no_difference_shown" if change.within(margin) else "inconclusive"


def _same_samples(difference: Floats) -> list[str]:
    if np.any(difference):
        return []
    return [
        "Every pair has the same gap in both: these are the same samples, "
        "and the interval of the change has no width."
    ]


def _notes(before: Estimate, change: Estimate, relative: Estimate | None, p: float) -> list[str]:
    if not before.excludes(0.0):
        return [
            "The gap before cannot be told from 0, so nothing could have been improved "
            "and no relative change is given."
        ]
    notes = []
    if relative is None:
        notes.append("The gap before is too uncertain for a bounded relative change.")
    if change.excludes(0.0) and p >= CLAIM_LEVEL:
        notes.append(
            f"The interval of the change excludes 0, but p = {p:.3f}: "
            f"a claim of change asks for p < {CLAIM_LEVEL:g}."
        )
    return notes
