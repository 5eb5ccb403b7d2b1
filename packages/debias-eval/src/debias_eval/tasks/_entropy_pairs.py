"""From scored answers to what statistics of a gap are made of: entropies of pairs, and of sides.

Every pair has three sets of answers: to the female prompt, to the male one, and to the male one
again, for the A/A row.
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

__all__ = ["SIDES", "EntropyPairs", "Side", "entropy_pairs", "mean", "shuffled", "side_summary"]

Side: TypeAlias = Literal["female", "male", "male_again"]
SIDES: tuple[Side, ...] = ("female", "male", "male_again")


@dataclass(frozen=True, slots=True)
class EntropyPairs:
    """The same pairs twice: female beside male answers, and male answers beside fresh ones."""

    gap: list[PairEntropies]
    a_a: list[PairEntropies]


def entropy_pairs(items: Sequence[Item], verdicts: Sequence[Row]) -> EntropyPairs:
    """Return the pairs of the gap and of the A/A row; a pair that lacks an answer is left out."""
    table = _by_pair(verdicts)
    gap, a_a = [], []
    for item in items:
        sides = table.get(item.id)
        if not sides or any(row["status"] != "scored" for rows in sides.values() for row in rows):
            continue
        values = {
            side: tuple(cast("float", row["entropy"]) for row in rows)
            for side, rows in sides.items()
        }
        cluster = item.text("cluster_id")
        gap.append(
            statistics.PairEntropies(
                item.id, cluster, values["female"], values["male"], _direct(sides)
            )
        )
        a_a.append(
            statistics.PairEntropies(item.id, cluster, values["male_again"], values["male"], None)
        )
    return EntropyPairs(gap, a_a)


def shuffled(pairs: Sequence[PairEntropies], seed: int) -> list[PairEntropies]:
    """Return the pairs with the sides of a random half of the clusters' pairs swapped."""
    draw = random.Random(seed)  # noqa: S311 - a placebo, not a secret
    return [
        replace(pair, female=pair.male, male=pair.female, direct=None)
        if draw.random() < 0.5
        else replace(pair, direct=None)
        for pair in pairs
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
        sides = table.setdefault(str(row["id"]), {side: [] for side in SIDES})
        sides[str(row["side"])].append(row)
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
