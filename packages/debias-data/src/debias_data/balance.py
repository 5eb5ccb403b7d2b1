"""Evenness between strata of pairs: measured always, corrected where the config says so."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from debias_data.config import BalanceConfig
from debias_data.counterfactual import Made
from debias_data.errors import OutOfBalanceError

# stratum kind → stratum → number of pairs
Evenness = dict[str, dict[str, int]]


def balance(
    pairs: Sequence[Made], config: BalanceConfig, *, seed: int
) -> tuple[list[Made], Evenness]:
    """The pairs after correction, and how many each stratum has.

    The two groups are equal by construction: every pair has one row of each.

    Raises:
        OutOfBalanceError: a stratum is smaller than the tolerance allows; names it with the counts.
    """
    kept = list(pairs)
    for kind in config.by:
        if config.method == "undersample":
            kept = _undersample(kept, kind, seed)
        elif config.method == "oversample":
            kept = _oversample(kept, kind, seed)
    evenness = {kind: _counts(kept, kind) for kind in ("origin", "domain", "source")}
    for kind in config.by:
        counts = evenness[kind]
        largest, smallest = max(counts.values()), min(counts.values())
        gap = (largest - smallest) / largest
        if gap > config.tolerance:
            raise OutOfBalanceError(
                f"{kind} is out of balance: {counts}; (largest - smallest) / largest = {gap:.3f} "
                f"is over the tolerance of {config.tolerance}"
            )
    return kept, evenness


def _stratum(pair: Made, kind: str) -> str:
    if kind == "origin":
        return pair.origin
    return pair.rows[0]["domain"] if kind == "domain" else pair.rows[0]["source"]


def _grouped(pairs: Sequence[Made], kind: str) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs):
        groups[_stratum(pair, kind)].append(index)
    return groups


def _counts(pairs: Sequence[Made], kind: str) -> dict[str, int]:
    return {name: len(found) for name, found in sorted(_grouped(pairs, kind).items())}


def _undersample(pairs: list[Made], kind: str, seed: int) -> list[Made]:
    groups = _grouped(pairs, kind)
    size = min(map(len, groups.values()))
    draw = random.Random(f"{seed}:{kind}")  # noqa: S311 - sampling, not secrets
    kept = {index for name in sorted(groups) for index in draw.sample(groups[name], size)}
    return [pair for index, pair in enumerate(pairs) if index in kept]


def _oversample(pairs: list[Made], kind: str, seed: int) -> list[Made]:
    groups = _grouped(pairs, kind)
    size = max(map(len, groups.values()))
    draw = random.Random(f"{seed}:{kind}")  # noqa: S311 - sampling, not secrets
    result = list(pairs)
    for name in sorted(groups):
        train = [i for i in groups[name] if pairs[i].rows[0]["split"] == "train"]
        missing = size - len(groups[name]) if train else 0
        result.extend(
            _renamed(pairs[draw.choice(train)], f"#{kind}{copy + 1}") for copy in range(missing)
        )
    return result


def _renamed(pair: Made, suffix: str) -> Made:
    female, male = (row.copy() for row in pair.rows)
    for row in (female, male):
        row["pair_id"] += suffix
    return replace(pair, rows=(female, male))
