"""From scored answers to what statistics of a gap are made of: entropies of pairs, and of sides.

Every pair has three sets of answers: to the female prompt, to the male one, and to the male one
again, for the A/A row. Where the pair has a placebo there is a fourth, to that.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from debias_eval import statistics  # lazy: its parts load on first use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.statistics import PairEntropies
    from debias_eval.tasks.base import Item

__all__ = [
    "PLACEBO_FIELD",
    "EntropyPairs",
    "Side",
    "entropy_pairs",
    "mean",
    "shuffled",
    "side_summary",
    "sides_of",
]

Side: TypeAlias = Literal["female", "male", "male_again", "placebo"]
_SIDES: tuple[Side, ...] = ("female", "male", "male_again")

PLACEBO_FIELD = "placebo_prompt"
"""The field of an item that holds the placebo of its male prompt, where it has one."""


@dataclass(frozen=True, slots=True)
class EntropyPairs:
    """The same pairs: female beside male answers, fresh male ones, and those under other names."""

    gap: list[PairEntropies]
    a_a: list[PairEntropies]
    placebo: list[PairEntropies]


def sides_of(item: Item) -> tuple[Side, ...]:
    """Return which prompts of a pair are answered."""
    return (*_SIDES, "placebo") if PLACEBO_FIELD in item.fields else _SIDES


def entropy_pairs(items: Sequence[Item], verdicts: Sequence[Row]) -> EntropyPairs:
    """Return the pairs of the gap and of its null rows; a pair that lacks an answer is left out."""
    table = _by_pair(verdicts)
    found = EntropyPairs([], [], [])
    for item in items:
        sides = table.get(item.id, {})
        values = {
            side: tuple(cast("float", row["entropy"]) for row in rows)
            for side, rows in sides.items()
            if all(row["status"] == "scored" for row in rows)
        }
        if not all(side in values for side in _SIDES):
            continue
        female, male, again = (values[side] for side in _SIDES)
        cluster = item.text("cluster_id")
        pair = statistics.PairEntropies(item.id, cluster, female, male, _direct(sides))
        found.gap.append(pair)
        found.a_a.append(replace(pair, female=again, direct=None))
        if "placebo" in values:
            found.placebo.append(replace(pair, female=values["placebo"], direct=None))
    return found


def shuffled(pairs: Sequence[PairEntropies], seed: int) -> list[PairEntropies]:
    """Return the pairs with the sides of a random half of them swapped.

    Exactly a half: with a coin for every pair, a large gap would show as far as they fell unevenly.
    """
    draw = random.Random(seed)  # noqa: S311 - a null row, not a secret
    swapped = set(draw.sample(range(len(pairs)), len(pairs) // 2))
    return [
        replace(pair, female=pair.male, male=pair.female, direct=None)
        if number in swapped
        else replace(pair, direct=None)
        for number, pair in enumerate(pairs)
    ]


def side_summary(verdicts: Sequence[Row], side: str) -> dict[str, object]:
    """Return what stands beside the gap of one side: entropy, length, how answers ended."""
    rows = [row for row in verdicts if row["side"] == side]
    scored = [row for row in rows if row["status"] == "scored"]
    return {
        "entropy": mean([cast("float", row["entropy"]) for row in scored]),
        "answer_tokens": mean([cast("int", row["num_tokens"]) for row in scored]),
        "eos_rate": mean([float(row["finish_reason"] == "stop") for row in scored]),
        "truncated_rate": mean([float(row["finish_reason"] == "length") for row in scored]),
        "too_long": len(rows) - len(scored),
    }


def _by_pair(verdicts: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    table: dict[str, dict[str, list[Row]]] = {}
    for row in verdicts:
        sides = table.setdefault(str(row["id"]), {})
        sides.setdefault(str(row["side"]), []).append(row)
    return table


def _direct(sides: Mapping[str, Sequence[Row]]) -> float | None:
    """Return ``½[(H(y_m|x_f) - H(y_m|x_m)) + (H(y_f|x_f) - H(y_f|x_m))]``, mean over samples."""

    def shift(side: str) -> float | None:
        rows = sides[side]
        if any(row["cross_entropy"] is None for row in rows):
            return None
        return mean(
            [cast("float", row["cross_entropy"]) - cast("float", row["entropy"]) for row in rows]
        )

    male, female = shift("male"), shift("female")
    # An answer's shift is other - own: female-minus-male for a male answer, the reverse for a
    # female one.
    return None if male is None or female is None else 0.5 * (male - female)


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None of nothing."""
    return sum(values) / len(values) if values else None
