"""From scored answers to what statistics of a gap are made of: entropies of pairs, and of sides.

Every pair has three sets of answers: to the female prompt, to the male one, and to the male one
again, for the A/A row. Where the pair has a placebo, or prompts for further groups, those are
answered too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, cast

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.errors import InputError
from debias_eval.tasks.base import Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.statistics import GroupEntropies, PairEntropies
    from debias_eval.tasks.pair_table import PromptPair

__all__ = [
    "EntropyPairs",
    "Side",
    "entropy_groups",
    "entropy_pairs",
    "groups_of",
    "item_of",
    "mean",
    "prompts_of",
    "shuffled",
    "side_summary",
]

Side: TypeAlias = str
"""``female``, ``male``, ``male_again``, ``placebo`` or the name of a further group."""

_SIDES: tuple[Side, ...] = ("female", "male", "male_again")
_PLACEBO: Side = "placebo"
_PLACEBO_FIELD, _OTHERS_FIELD = "placebo_prompt", "other_prompts"


@dataclass(frozen=True, slots=True)
class EntropyPairs:
    """The same pairs: female beside male answers, fresh male ones, and those under other names."""

    gap: list[PairEntropies]
    a_a: list[PairEntropies]
    placebo: list[PairEntropies]


def item_of(pair: PromptPair) -> Item:
    """Return a pair as an item.

    Raises:
        InputError: A further group is called like one of our own sides.
    """
    fields: dict[str, object] = {"male_prompt": pair.male, "cluster_id": pair.cluster_id}
    if pair.placebo:
        fields[_PLACEBO_FIELD] = pair.placebo
    if pair.others:
        reserved = sorted({*_SIDES, _PLACEBO} & set(pair.others))
        if reserved:
            raise InputError(
                f"pair {pair.pair_id!r}: a group cannot be called {reserved[0]!r} here"
            )
        fields[_OTHERS_FIELD] = dict(pair.others)
    return Item(pair.pair_id, pair.female, fields)


def prompts_of(item: Item) -> dict[Side, str]:
    """Return the texts of an item that are answered, by side."""
    male = item.text("male_prompt")
    prompts: dict[Side, str] = dict(zip(_SIDES, (item.prompt, male, male), strict=True))
    if _PLACEBO_FIELD in item.fields:
        prompts[_PLACEBO] = item.text(_PLACEBO_FIELD)
    return prompts | _others(item)


def groups_of(items: Sequence[Item]) -> tuple[Side, ...]:
    """Return the groups of a table; every pair has the same ones."""
    return ("female", "male", *(_others(items[0]) if items else ()))


def _others(item: Item) -> dict[Side, str]:
    return cast("dict[Side, str]", item.fields.get(_OTHERS_FIELD, {}))


def entropy_pairs(items: Sequence[Item], verdicts: Sequence[Row]) -> EntropyPairs:
    """Return the pairs of the gap and of its null rows; a pair that lacks an answer is left out."""
    table = _by_pair(verdicts)
    found = EntropyPairs([], [], [])
    for item in items:
        sides = table.get(item.id, {})
        values = _entropies(sides)
        if not all(side in values for side in _SIDES):
            continue
        female, male, again = (values[side] for side in _SIDES)
        cluster = item.text("cluster_id")
        pair = statistics.PairEntropies(item.id, cluster, female, male, _direct(sides))
        found.gap.append(pair)
        found.a_a.append(replace(pair, female=again, direct=None))
        if _PLACEBO in values:
            found.placebo.append(replace(pair, female=values[_PLACEBO], direct=None))
    return found


def entropy_groups(items: Sequence[Item], verdicts: Sequence[Row]) -> list[GroupEntropies]:
    """Return the pairs with all their groups, where there are more than two; none otherwise.

    A pair that lacks an answer of any group is left out.
    """
    names = groups_of(items)
    if len(names) == 2:
        return []
    table = _by_pair(verdicts)
    found = []
    for item in items:
        values = _entropies(table.get(item.id, {}))
        if all(name in values for name in names):
            groups = {name: values[name] for name in names}
            found.append(statistics.GroupEntropies(item.id, item.text("cluster_id"), groups))
    return found


def _entropies(sides: Mapping[str, Sequence[Row]]) -> dict[Side, tuple[float, ...]]:
    """Return the entropies of the sides whose answers were all scored."""
    return {
        side: tuple(cast("float", row["entropy"]) for row in rows)
        for side, rows in sides.items()
        if all(row["status"] == "scored" for row in rows)
    }


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
