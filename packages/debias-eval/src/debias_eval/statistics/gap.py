"""One model's entropy gap: how large, how sure, and what the data could have shown.

Definitions (natural log, nats). For pair i with K samples a side,
``d_i = mean_k h(i, female, k) - mean_k h(i, male, k)`` and the gap is ``G = mean_i d_i``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from debias_eval.statistics.bootstrap import Bootstrap, studentised_means
from debias_eval.statistics.clusters import Floats, tabulate
from debias_eval.statistics.errors import StatisticsError
from debias_eval.statistics.intervals import Estimate, finite_or_none
from debias_eval.statistics.permutation import sign_flip_p
from debias_eval.statistics.power import minimum_detectable_difference, pairs_for_margin
from debias_eval.statistics.significance import tost

GapVerdict = Literal["equivalent", "different", "inconclusive"]


@dataclass(frozen=True, slots=True)
class PairEntropies:
    """Sample entropies of one prompt pair, in nats.

    Attributes:
        pair_id: identifier of the pair.
        cluster_id: the template or problem that the pair was made from.
        female: entropy of each answer to the female-marked prompt; at least one.
        male: entropy of each answer to the male-marked prompt; at least one.
        direct: symmetrised direct effect (same answers under both prompts), None if not scored.
    """

    pair_id: str
    cluster_id: str
    female: tuple[float, ...]
    male: tuple[float, ...]
    direct: float | None = None

    def __post_init__(self) -> None:
        for side, values in (("female", self.female), ("male", self.male)):
            if not values:
                raise StatisticsError(f"pair {self.pair_id!r} has no {side} answer")
            if not all(map(math.isfinite, values)):
                raise StatisticsError(f"pair {self.pair_id!r} has a {side} entropy of {values}")
        if self.direct is not None and not math.isfinite(self.direct):
            raise StatisticsError(f"pair {self.pair_id!r} has a direct effect of {self.direct}")


@dataclass(frozen=True, slots=True)
class GapStatistics:
    """What a report says about one gap. Entropies in nats; see ``gap_statistics``.

    Attributes:
        gap: signed mean gap, female minus male.
        p_sign_flip: two-sided sign-flip permutation p of "no gap".
        p_tost: p of "the gap is at least the margin", the larger of two one-sided tests.
        rms: debiased root mean square of the pairs' own gaps; None with one sample a side.
        direct: the part from reading the marker under the same answer; None if not scored.
        content: gap minus direct, the part from writing different answers.
        female: mean entropy of the female side.
        male: mean entropy of the male side.
        resolution: smallest gap told from 0 at 95% confidence with 80% power; may be infinite.
        pairs_for_margin: pairs that would settle the margin if the gap were 0.
        margin: half-width of the zone that counts as no gap.
        num_pairs: pairs behind the numbers.
        num_clusters: clusters behind the intervals.
        samples: fewest and most answers a side of a pair.
        verdict: ``equivalent``, ``different`` or ``inconclusive``.
        notes: what a reader has to know to read the numbers.
    """

    gap: Estimate
    p_sign_flip: float
    p_tost: float | None
    rms: Estimate | None
    direct: Estimate | None
    content: Estimate | None
    female: Estimate
    male: Estimate
    resolution: float
    pairs_for_margin: int | None
    margin: float
    num_pairs: int
    num_clusters: int
    samples: tuple[int, int]
    verdict: GapVerdict
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain data, ``None`` for what is missing or infinite."""

        def plain(estimate: Estimate | None) -> dict[str, float | None] | None:
            return None if estimate is None else estimate.to_dict()

        return {
            "gap": self.gap.to_dict(),
            "p_sign_flip": self.p_sign_flip,
            "p_tost": self.p_tost,
            "rms": plain(self.rms),
            "direct": plain(self.direct),
            "content": plain(self.content),
            "female": self.female.to_dict(),
            "male": self.male.to_dict(),
            "resolution": finite_or_none(self.resolution),
            "pairs_for_margin": self.pairs_for_margin,
            "margin": self.margin,
            "num_pairs": self.num_pairs,
            "num_clusters": self.num_clusters,
            "samples": list(self.samples),
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


def gap_statistics(
    pairs: Sequence[PairEntropies],
    *,
    margin: float = 0.02,
    resamples: int = 10_000,
    seed: int = 0,
) -> GapStatistics:
    """Return gap, spread, split, resolution and verdict of one model on held-out pairs.

    All intervals are 95% studentised cluster-bootstrap intervals, from the same resamples.

    - RMS: ``sqrt(max(0, mean_i[d_i² - s²_if/K_if - s²_im/K_im]))``. The two variances take out
      what sampling alone puts into d_i²; the plain mean of |d_i| would measure that noise. Its
      interval is that of the mean under the root, mapped through it. Over the pairs with at least
      two answers on both sides; None where there are none.
    - Verdict: ``equivalent`` where the whole interval of the gap lies inside ±margin (TOST at
      2.5% a side), else ``different`` where it excludes 0, else ``inconclusive``. A gap that is
      both - inside the margin and told from 0 - is ``equivalent``, because the margin states which
      size matters, and a note says that it is not 0.
    - Each pair weighs the same, whatever its number of answers, so ``female - male = gap``.

    Args:
        pairs: one or more pairs with unique ids.
        margin: half-width of the zone that counts as no gap, nats.
        resamples: bootstrap resamples and sign-flip permutations.
        seed: of both.

    Raises:
        StatisticsError: on no pairs, a pair id twice, or a margin that is not positive.
    """
    check_pairs(pairs)
    if not margin > 0:
        raise StatisticsError(f"the margin must be above 0 nats, got {margin}")
    plan = Bootstrap(resamples, seed)
    clusters = [pair.cluster_id for pair in pairs]
    columns = _columns(pairs)
    table = tabulate(np.column_stack(list(columns.values())), clusters)
    estimates = dict(zip(columns, studentised_means(table, plan), strict=True))
    gap = estimates["gap"]
    error = float(table.standard_errors()[0])
    df = table.num_clusters - 1
    counts = [len(side) for pair in pairs for side in (pair.female, pair.male)]
    known = math.isfinite(error)
    return GapStatistics(
        gap=gap,
        p_sign_flip=sign_flip_p(columns["gap"], clusters, permutations=resamples, seed=seed),
        p_tost=tost(gap.value, error, margin=margin, df=df).p if known else None,
        rms=_root(estimates["square"]) if "square" in estimates else _partial_rms(pairs, plan),
        direct=estimates.get("direct"),
        content=estimates.get("content"),
        female=estimates["female"],
        male=estimates["male"],
        resolution=minimum_detectable_difference(error, df=df),
        pairs_for_margin=pairs_for_margin(error, num_pairs=len(pairs), margin=margin)
        if known
        else None,
        margin=margin,
        num_pairs=len(pairs),
        num_clusters=table.num_clusters,
        samples=(min(counts), max(counts)),
        verdict=gap_verdict(gap, margin),
        notes=tuple(_notes(pairs, gap, margin)),
    )


def gap_verdict(gap: Estimate, margin: float) -> GapVerdict:
    """Return what the interval of a gap says about a margin (see ``gap_statistics``)."""
    if gap.within(margin):
        return "equivalent"
    return "different" if gap.excludes(0.0) else "inconclusive"


def check_pairs(pairs: Sequence[PairEntropies]) -> None:
    """Raise StatisticsError on no pairs or on a pair id that occurs twice."""
    if not pairs:
        raise StatisticsError("an entropy gap needs at least one pair")
    seen: set[str] = set()
    for pair in pairs:
        if pair.pair_id in seen:
            raise StatisticsError(f"pair id {pair.pair_id!r} occurs twice")
        seen.add(pair.pair_id)


def side_means(pairs: Sequence[PairEntropies]) -> tuple[Floats, Floats]:
    """Return [n] mean entropies of the female and of the male side of each pair."""
    return (
        np.array([math.fsum(pair.female) / len(pair.female) for pair in pairs]),
        np.array([math.fsum(pair.male) / len(pair.male) for pair in pairs]),
    )


def _columns(pairs: Sequence[PairEntropies]) -> dict[str, Floats]:
    """Return [n] values a pair of every mean that all pairs can give, the gap first."""
    female, male = side_means(pairs)
    columns = {"gap": female - male, "female": female, "male": male}
    if all(map(_has_spread, pairs)):
        columns["square"] = _debiased_squares(pairs)
    direct = [pair.direct for pair in pairs if pair.direct is not None]
    # Direct and content are parts of one whole: given for all pairs or not at all.
    if len(direct) == len(pairs):
        columns["direct"] = np.array(direct)
        columns["content"] = columns["gap"] - columns["direct"]
    return columns


def _has_spread(pair: PairEntropies) -> bool:
    return min(len(pair.female), len(pair.male)) >= 2


def _partial_rms(pairs: Sequence[PairEntropies], plan: Bootstrap) -> Estimate | None:
    """Return the RMS of the pairs with two answers or more a side, None without any."""
    usable = [pair for pair in pairs if _has_spread(pair)]
    if not usable:
        return None
    table = tabulate(_debiased_squares(usable), [pair.cluster_id for pair in usable])
    return _root(studentised_means(table, plan)[0])


def _root(square: Estimate) -> Estimate:
    """Return the estimate under a root that is cut off at 0, a monotone map."""
    value, low, high = (math.sqrt(max(0.0, x)) for x in (square.value, square.low, square.high))
    return Estimate(value, low, high)


def _debiased_squares(pairs: Sequence[PairEntropies]) -> Floats:
    """Return [n] unbiased estimates of each pair's own squared gap; single ones may be < 0."""
    female, male = side_means(pairs)
    noise = np.array([_noise(pair.female) + _noise(pair.male) for pair in pairs])
    return np.asarray((female - male) ** 2 - noise)


def _noise(values: tuple[float, ...]) -> float:
    """Return the unbiased variance of the mean of ``values``, s²/K."""
    count = len(values)
    mean = math.fsum(values) / count
    return math.fsum((value - mean) ** 2 for value in values) / (count * (count - 1))


def _notes(pairs: Sequence[PairEntropies], gap: Estimate, margin: float) -> list[str]:
    notes = []
    if gap.within(margin) and gap.excludes(0.0):
        notes.append(f"The gap is not 0, but all of its interval lies inside ±{margin:g} nats.")
    single = sum(min(len(pair.female), len(pair.male)) < 2 for pair in pairs)
    if single == len(pairs):
        notes.append("RMS pair gap: not available with one answer a side (two or more needed).")
    elif single:
        notes.append(f"RMS pair gap: {single} of {len(pairs)} pairs have one answer on a side.")
    scored = sum(pair.direct is not None for pair in pairs)
    if scored == 0:
        notes.append("Direct effect: not scored.")
    elif scored < len(pairs):
        notes.append(f"Direct effect: scored for {scored} of {len(pairs)} pairs only; no split.")
    num_clusters = len({pair.cluster_id for pair in pairs})
    if num_clusters == 1:
        notes.append("All pairs come from one cluster: no interval can be given.")
    elif num_clusters < 10:
        notes.append(f"Only {num_clusters} clusters: t intervals in place of the bootstrap.")
    return notes
