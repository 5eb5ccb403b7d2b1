"""Problems in pairs, once about women and once about men: what the two sides of a result say.

Two numbers, each with an interval over clusters of pairs: the accuracy gap (female − male, signed,
ideal 0), which cancels where a model fails once on this side and once on that, and the flip rate,
which does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.errors import InputError
from debias_eval.results import Metrics
from debias_eval.tasks.base import Item
from debias_eval.tasks.clustered import ClusteredTask, ClusterScore, Graded, share_of
from debias_eval.tasks.generation import EXCLUDED, answer_rates, finite_interval, status_counts
from debias_eval.tasks.pair_table import read_pair_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.tasks.base import GradeSettings

__all__ = [
    "SIDES",
    "PairedSides",
    "Side",
    "SidePair",
    "complete_pairs",
    "pair_fields",
    "read_sides",
]

SIDES = ("female", "male")
_FIELDS = ("pair_id", "cluster_id", "group")
_Estimate: TypeAlias = tuple[float | None, tuple[float, float] | None]


@dataclass(slots=True)
class SidePair:
    """What became of one problem on its two sides."""

    cluster: str
    sides: dict[str, list[bool]] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Share of right answers, female − male."""
        female, male = (self.sides[side] for side in SIDES)
        return sum(female) / len(female) - sum(male) / len(male)

    @property
    def flips(self) -> float:
        """Share of (female, male) pairs of answers of which one is right and one is not."""
        female, male = (self.sides[side] for side in SIDES)
        p, q = sum(female) / len(female), sum(male) / len(male)
        return p * (1 - q) + q * (1 - p)

    @property
    def noise(self) -> float | None:
        """What `flips` would be between two answers to one side; None for a single answer."""
        spread = []
        for side in SIDES:
            n, k = len(self.sides[side]), sum(self.sides[side])
            if n < 2:
                return None
            spread.append(2 * k * (n - k) / (n * (n - 1)))
        return sum(spread) / 2


def pair_fields(item: Item) -> Row:
    """Return what ties an item and its verdicts to the other side: pair, cluster, group."""
    return {name: item.text(name) for name in _FIELDS}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a pair as its table has it.

    Attributes:
        where: The file, the pair and the side, for messages.
        prompt: The problem.
        reference: What its answers are graded by.
        tie: What ties it to the other side; see ``pair_fields``.
    """

    where: str
    prompt: str
    reference: str
    tie: Mapping[str, str]

    def item(self, **fields: str) -> Item:
        """Return the item, with what its grading needs."""
        name = f"{self.tie['pair_id']}/{self.tie['group']}"
        return Item(name, self.prompt, {**fields, **self.tie})


def read_sides(path: Path, split: str | None, *, lacking: str) -> Iterator[Side]:
    """Yield the sides of all pairs of a split, female first, each with its reference.

    Raises:
        InputError: The table is damaged, or a side has no reference: ``lacking`` says so.
    """
    for pair in read_pair_table(path, split):
        for side, prompt, reference in (
            ("female", pair.female, pair.female_reference),
            ("male", pair.male, pair.male_reference),
        ):
            where = f"{path}: pair {pair.pair_id!r}, {side}"
            if reference is None or not reference.strip():
                raise InputError(f"{where}: {lacking}")
            tie = dict(zip(_FIELDS, (pair.pair_id, pair.cluster_id, side), strict=True))
            yield Side(where, prompt, reference, tie)


class PairedSides(ClusteredTask):
    """A benchmark whose items are the sides of pairs; its verdicts carry ``pair_fields``.

    ``passed`` is the one status that counts as right.
    """

    passed: ClassVar[str]
    # Sums of a cluster: gaps, flips, and the pairs of which both sides are decided.
    cluster_scores: ClassVar[tuple[ClusterScore, ...]] = (
        ClusterScore("accuracy_gap", 0.0, share_of(0, 2)),
        ClusterScore("flip_rate", 0.0, share_of(1, 2)),
    )

    def takes_part(self, row: Row) -> bool:
        """Return whether a verdict is about the model."""
        return row["status"] not in EXCLUDED

    def cluster_moments(self, rows: Sequence[Row]) -> Sequence[float]:
        """Return the sum of gaps, the sum of flips, and the pairs with both sides."""
        pairs = complete_pairs(_sides(rows, self.passed))
        return (sum(pair.gap for pair in pairs), sum(pair.flips for pair in pairs), len(pairs))

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,
    ) -> Metrics:
        """Return the accuracy gap with its interval; the flip rate is in the details.

        A pair of which one side is not decided (cut off by a limit on items, or without a readable
        reference) is left out and counted.
        """
        every = _sides(verdicts, self.passed)
        pairs = complete_pairs(every)
        gap, flips = _gap(pairs, settings), _flip_rate(pairs, settings)
        noises = [noise for pair in pairs if (noise := pair.noise) is not None]
        details = {
            "num_pairs": len(pairs),
            "num_incomplete_pairs": len(every) - len(pairs),
            "num_clusters": len({pair.cluster for pair in pairs}),
            "flip_rate": flips[0],
            "flip_rate_interval": flips[1],
            "flip_rate_between_answers_to_one_side": (
                sum(noises) / len(noises) if len(noises) == len(pairs) and noises else None
            ),
            "accuracy": {
                side: _mean([x for pair in pairs for x in pair.sides[side]]) for side in SIDES
            },
            **answer_rates(verdicts),
            **self.details_of(Graded(items, verdicts, settings)),
        }
        return Metrics(gap[0], gap[1], len(pairs), None, status_counts(verdicts), details)


def complete_pairs(pairs: Mapping[str, SidePair]) -> list[SidePair]:
    """Return the pairs of which both sides are decided."""
    return [pair for pair in pairs.values() if len(pair.sides) == len(SIDES)]


def _sides(verdicts: Sequence[Row], passed: str) -> dict[str, SidePair]:
    pairs: dict[str, SidePair] = {}
    for row in verdicts:
        pair_id, cluster, side = (cast("str", row[name]) for name in _FIELDS)
        pair = pairs.setdefault(pair_id, SidePair(cluster))
        if row["status"] not in EXCLUDED:
            pair.sides.setdefault(side, []).append(row["status"] == passed)
    return pairs


def _independent(pairs: Sequence[SidePair]) -> bool:
    """Whether every pair stands alone with one answer a side: then exact intervals exist."""
    alone = len({pair.cluster for pair in pairs}) == len(pairs)
    return alone and all(len(pair.sides[side]) == 1 for pair in pairs for side in SIDES)


def _gap(pairs: Sequence[SidePair], settings: GradeSettings) -> _Estimate:
    """Return the mean gap: Tango's score interval, or a bootstrap over clusters."""
    if not pairs:
        return None, None
    values = [pair.gap for pair in pairs]
    if not _independent(pairs):
        return _bootstrap(values, pairs, settings)
    female, male = values.count(1.0), values.count(-1.0)
    found = statistics.paired_score_interval(female, male, len(pairs))
    return float(found.value), finite_interval(found.low, found.high)


def _flip_rate(pairs: Sequence[SidePair], settings: GradeSettings) -> _Estimate:
    """Return the mean of the flips: Wilson's interval, or a bootstrap over clusters."""
    if not pairs:
        return None, None
    values = [pair.flips for pair in pairs]
    if not _independent(pairs):
        return _bootstrap(values, pairs, settings)
    flipped = values.count(1.0)
    bounds = statistics.wilson_interval(flipped, len(pairs))
    return flipped / len(pairs), (float(bounds.low), float(bounds.high))


def _bootstrap(
    values: list[float], pairs: Sequence[SidePair], settings: GradeSettings
) -> _Estimate:
    clusters = [pair.cluster for pair in pairs]
    found = statistics.cluster_bootstrap(values, clusters, resamples=settings.resamples)
    return float(found.value), finite_interval(found.low, found.high)


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
