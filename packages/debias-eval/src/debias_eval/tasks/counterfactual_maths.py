"""Does a swapped gender change what a model can solve? Maths problems in pairs, both sides graded.

The data is a pair table with references (``debias-data build`` on GSM8K writes one): each problem
once about women, once about men, otherwise the same. Two numbers, each with an interval over
clusters of pairs: the accuracy gap (female − male, signed, ideal 0), which cancels where a model
fails once on this side and once on that, and the flip rate, which does not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.errors import InputError
from debias_eval.protocol import Protocol
from debias_eval.results import Metrics
from debias_eval.tasks._maths import MathsTask, reasoning
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.generation import answer_rates, finite_interval, item_shares
from debias_eval.tasks.pair_table import read_pair_table
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings

__all__ = ["CounterfactualMaths"]

_SIDES = ("female", "male")
_Estimate: TypeAlias = tuple[float | None, tuple[float, float] | None]


@dataclass(slots=True)
class _Pair:
    """What became of one problem on its two sides."""

    cluster: str
    sides: dict[str, list[bool]] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Share of right answers, female − male."""
        female, male = (self.sides[side] for side in _SIDES)
        return sum(female) / len(female) - sum(male) / len(male)

    @property
    def flips(self) -> float:
        """Share of (female, male) pairs of answers of which one is right and one is not."""
        female, male = (self.sides[side] for side in _SIDES)
        p, q = sum(female) / len(female), sum(male) / len(male)
        return p * (1 - q) + q * (1 - p)

    @property
    def noise(self) -> float | None:
        """What `flips` would be between two answers to one side; None for a single answer."""
        spread = []
        for side in _SIDES:
            n, k = len(self.sides[side]), sum(self.sides[side])
            if n < 2:
                return None
            spread.append(2 * k * (n - k) / (n * (n - 1)))
        return sum(spread) / 2


@tasks.register("counterfactual_maths")
class CounterfactualMaths(MathsTask):
    """Accuracy gap and flip rate over problems that differ in gender alone."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="counterfactual_maths",
        kind="bias",
        metric="accuracy gap (female - male)",
        higher_is_better=None,
        summary="maths problems with the gender swapped: accuracy gap and flip rate",
        data=("counterfactual_maths/pairs.parquet", "counterfactual_maths/pairs.jsonl"),
        source="`debias-data build` makes a pair table with references, from GSM8K for example",
    )

    def protocol(self) -> Protocol:
        """Return the plain protocol of GSM8K, over every split of the table."""
        return Protocol(
            template="Question: {prompt}\nAnswer: Let's think step by step.",
            stop=("\nQuestion:",),
            max_new_tokens=512,
            split="all",
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return two items a pair, female first."""
        items = []
        for pair in read_pair_table(path, protocol.split):
            for side, prompt, reference in (
                ("female", pair.female, pair.female_reference),
                ("male", pair.male, pair.male_reference),
            ):
                if reference is None or not reference.strip():
                    raise InputError(
                        f"{path}: pair {pair.pair_id!r}, {side}: no reference to grade by"
                    )
                fields = {
                    "answer": reference,
                    "pair_id": pair.pair_id,
                    "cluster_id": pair.cluster_id,
                    "group": side,
                }
                items.append(Item(f"{pair.pair_id}/{side}", prompt, fields))
        return items

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
        every = _pairs(items, verdicts)
        pairs = [pair for pair in every.values() if len(pair.sides) == len(_SIDES)]
        counts = Counter(str(row["status"]) for row in verdicts)
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
                side: _mean([x for pair in pairs for x in pair.sides[side]]) for side in _SIDES
            },
            **answer_rates(verdicts),
            "reasoning": reasoning(verdicts, settings),
        }
        return Metrics(gap[0], gap[1], len(pairs), None, dict(sorted(counts.items())), details)


def _pairs(items: Sequence[Item], verdicts: Sequence[Row]) -> dict[str, _Pair]:
    shares = item_shares(verdicts, "correct")
    pairs: dict[str, _Pair] = {}
    for item in items:
        pair = pairs.setdefault(item.text("pair_id"), _Pair(item.text("cluster_id")))
        if shares.get(item.id):
            pair.sides[item.text("group")] = shares[item.id]
    return pairs


def _independent(pairs: Sequence[_Pair]) -> bool:
    """Whether every pair stands alone with one answer a side: then exact intervals exist."""
    alone = len({pair.cluster for pair in pairs}) == len(pairs)
    return alone and all(len(pair.sides[side]) == 1 for pair in pairs for side in _SIDES)


def _gap(pairs: Sequence[_Pair], settings: GradeSettings) -> _Estimate:
    """Return the mean gap: Tango's score interval, or a bootstrap over clusters."""
    if not pairs:
        return None, None
    values = [pair.gap for pair in pairs]
    if not _independent(pairs):
        return _bootstrap(values, pairs, settings)
    female, male = values.count(1.0), values.count(-1.0)
    found = statistics.paired_score_interval(female, male, len(pairs))
    return float(found.value), finite_interval(found.low, found.high)


def _flip_rate(pairs: Sequence[_Pair], settings: GradeSettings) -> _Estimate:
    """Return the mean of the flips: Wilson's interval, or a bootstrap over clusters."""
    if not pairs:
        return None, None
    values = [pair.flips for pair in pairs]
    if not _independent(pairs):
        return _bootstrap(values, pairs, settings)
    flipped = values.count(1.0)
    bounds = statistics.wilson_interval(flipped, len(pairs))
    return flipped / len(pairs), (float(bounds.low), float(bounds.high))


def _bootstrap(values: list[float], pairs: Sequence[_Pair], settings: GradeSettings) -> _Estimate:
    clusters = [pair.cluster for pair in pairs]
    found = statistics.cluster_bootstrap(values, clusters, resamples=settings.resamples)
    return float(found.value), finite_interval(found.low, found.high)


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
