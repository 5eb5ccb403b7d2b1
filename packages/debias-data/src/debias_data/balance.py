"""Evenness between strata of pairs: measured always, corrected where the config says so."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from debias_data.config import BalanceConfig
from debias_data.counterfactual import MARKED
from debias_data.errors import OutOfBalanceError
from debias_data.ledger import Kind, Ledger

# stratum kind → stratum → number of pairs
Evenness = dict[Kind, dict[str, int]]
_MEASURED: tuple[Kind, ...] = ("origin", "domain", "source")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pairs the table has, in order.

    Attributes:
        places: of the pairs in the ledger; a place that occurs again is a copy.
        suffixes: what the id of a copy ends with, by its position in `places`.
    """

    places: list[int]
    suffixes: dict[int, str] = field(default_factory=dict)


def balance(
    ledger: Ledger, places: list[int], config: BalanceConfig, *, seed: int
) -> tuple[Selection, Evenness]:
    """The pairs after correction, and how many each stratum has.

    The two groups are equal by construction: every pair has one row of each.

    Raises:
        OutOfBalanceError: a stratum is smaller than the tolerance allows; names it with the counts.
    """
    kept = Selection(places)
    for kind in config.by:
        if config.method == "undersample":
            kept = _undersample(ledger, kept, kind, seed)
        elif config.method == "oversample":
            kept = _oversample(ledger, kept, kind, seed)
        elif config.method == "complete":
            kept = _complete(ledger, kept, kind, seed)
    evenness: Evenness = {
        kind: dict(sorted(ledger.strata(kind, kept.places).items())) for kind in _MEASURED
    }
    for kind in config.by:
        counts = evenness[kind] if config.method != "complete" else _counts(ledger, kept, kind)
        largest, smallest = max(counts.values()), min(counts.values())
        gap = (largest - smallest) / largest
        if gap > config.tolerance:
            raise OutOfBalanceError(
                f"{kind} is out of balance: {counts}; (largest - smallest) / largest = {gap:.3f} "
                f"is over the tolerance of {config.tolerance}"
            )
    return kept, evenness


def _grouped(ledger: Ledger, kept: Selection, kind: Kind) -> dict[str, list[int]]:
    """Positions in `kept` by stratum."""
    codes, names = ledger.codes[kind], ledger.names[kind]
    groups: dict[str, list[int]] = defaultdict(list)
    for position, place in enumerate(kept.places):
        groups[names[codes[place]]].append(position)
    return groups


def _counts(ledger: Ledger, kept: Selection, kind: Kind) -> dict[str, int]:
    """Pairs by stratum, where marked pairs count for the source of their problem."""
    counts: dict[str, int] = {}
    for name, count in sorted(ledger.strata(kind, kept.places).items()):
        plain = name.removesuffix(MARKED)
        counts[plain] = counts.get(plain, 0) + count
    return counts


def _complete(ledger: Ledger, kept: Selection, kind: Kind, seed: int) -> Selection:
    counts = _counts(ledger, kept, kind)
    largest = max(counts.values())
    used = set(kept.places)
    spares: dict[str, list[int]] = defaultdict(list)
    for place, is_spare in enumerate(ledger.spares):
        if is_spare and place not in used:
            spares[ledger.name(kind, place).removesuffix(MARKED)].append(place)
    draw = random.Random(f"{seed}:{kind}")  # noqa: S311 - sampling, not secrets
    places = list(kept.places)
    for name in sorted(counts):
        missing = min(largest - counts[name], len(spares[name]))
        places += sorted(draw.sample(spares[name], missing))
    return Selection(places)


def _undersample(ledger: Ledger, kept: Selection, kind: Kind, seed: int) -> Selection:
    groups = _grouped(ledger, kept, kind)
    size = min(map(len, groups.values()))
    draw = random.Random(f"{seed}:{kind}")  # noqa: S311 - sampling, not secrets
    chosen = {position for name in sorted(groups) for position in draw.sample(groups[name], size)}
    return Selection([place for i, place in enumerate(kept.places) if i in chosen])


def _oversample(ledger: Ledger, kept: Selection, kind: Kind, seed: int) -> Selection:
    groups = _grouped(ledger, kept, kind)
    size = max(map(len, groups.values()))
    draw = random.Random(f"{seed}:{kind}")  # noqa: S311 - sampling, not secrets
    places, suffixes = list(kept.places), dict(kept.suffixes)
    splits, names = ledger.codes["split"], ledger.names["split"]
    for name in sorted(groups):
        train = [i for i in groups[name] if names[splits[kept.places[i]]] == "train"]
        missing = size - len(groups[name]) if train else 0
        for copy in range(missing):
            position = draw.choice(train)
            suffixes[len(places)] = f"{kept.suffixes.get(position, '')}#{kind}{copy + 1}"
            places.append(kept.places[position])
    return Selection(places, suffixes)
