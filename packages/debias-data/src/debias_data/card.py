"""The card of a pair table: what went in, what was left out and why, and how it is spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from debias_data.balance import Evenness
from debias_data.config import BuildConfig
from debias_data.counterfactual import MARKED
from debias_data.ledger import Kind, Ledger, Measure
from debias_data.statistics import association_of, quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from debias_data.jsonl import Json
    from debias_data.spill import Spill

_EXAMPLES = 5
_SHOWN_DUPLICATES = 2
_SHOWN_CHARACTERS = 300
_LENGTH_EDGES = (100, 200, 400, 800, 1600)  # characters
_LENGTH_NAMES = ("under 100", "100 to 199", "200 to 399", "400 to 799", "800 to 1599", "over 1599")
_CROSSED: tuple[Kind, ...] = ("domain", "source", "split")


class Tally:
    """Counts what happened to every problem, by source and reason."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self.places: dict[tuple[str, str], list[str]] = {}

    @property
    def total(self) -> int:
        """Number of problems seen."""
        return self.made.total() + sum(counts.total() for counts in self.dropped.values())

    def make(self, source: str) -> None:
        """Count a pair."""
        self.made[source] += 1

    def drop(self, source: str, reason: str, place: str) -> None:
        """Count a problem that became no pair, or a pair that was left out."""
        self.dropped.setdefault(source, Counter())[reason] += 1
        places = self.places.setdefault((source, reason), [])
        if len(places) < _EXAMPLES:
            places.append(place)

    def use_spare(self, source: str) -> None:
        """Count a pair that was made of a problem which had been dropped as neutral."""
        self.made[source] += 1
        self.dropped[source.removesuffix(MARKED)]["neutral"] -= 1

    def reasons(self) -> str:
        """All reasons with their counts, for a message."""
        total: Counter[str] = Counter()
        for counts in self.dropped.values():
            total.update(counts)
        return ", ".join(f"{reason} {count}" for reason, count in total.most_common()) or "none"

    def as_json(self) -> dict[str, Json]:
        """The counts for the card."""
        names = sorted({*self.made, *self.dropped})
        result: dict[str, Json] = {}
        for name in names:
            dropped: dict[str, Json] = {
                reason: {"count": count, "first": list(self.places[name, reason])}
                for reason, count in sorted(self.dropped.get(name, Counter()).items())
            }
            result[name] = {"pairs": self.made[name], "left_out": dropped}
        return result


def _lengths_by_origin(ledger: Ledger, places: NDArray[np.int64]) -> Counter[tuple[str, str]]:
    lengths = np.searchsorted(_LENGTH_EDGES, ledger.values("characters", places), side="right")
    origins = ledger.codes_at("origin", places)
    counts = Counter(zip(lengths.tolist(), origins.tolist(), strict=True))
    names = ledger.names["origin"]
    return Counter({(_LENGTH_NAMES[n], names[code]): c for (n, code), c in counts.items()})


def show_near_duplicates(spill: Spill, found: Mapping[int, int]) -> list[Json]:
    """The first pairs that were left out, beside those that they are like: female prompts.

    Args:
        spill: the pairs.
        found: place of a pair that was left out → place of the pair that it is like.
    """
    examples: list[Json] = []
    for later, earlier in sorted(found.items())[:_SHOWN_DUPLICATES]:
        batches = spill.read([later, earlier])
        texts = [text for batch in batches for text in batch.column("prompt").to_pylist()[::2]]
        left_out, like = (text[:_SHOWN_CHARACTERS] for text in texts)
        examples.append({"left_out": left_out, "like": like})
    return examples


def make_card(
    ledger: Ledger, places: Sequence[int], tally: Tally, config: BuildConfig, evenness: Evenness
) -> dict[str, Json]:
    """Figures about the pairs at `places`, as plain JSON; the same for the same pairs."""
    chosen = np.array(places, np.int64)
    coverage: dict[str, Json] = {"origin": dict(sorted(ledger.strata("origin", chosen).items()))}
    for kind in _CROSSED:
        coverage[kind] = dict(sorted(ledger.strata(kind, chosen).items()))
        coverage[f"{kind}_by_origin"] = association_of(ledger.crossed(kind, "origin", chosen))
    by_length = _lengths_by_origin(ledger, chosen)
    coverage["length"] = {
        name: sum(count for (length, _), count in by_length.items() if length == name)
        for name in _LENGTH_NAMES
        if any(length == name for length, _ in by_length)
    }
    coverage["length_by_origin"] = association_of(by_length)

    def spread(measure: Measure) -> dict[str, Json]:
        return quantiles(ledger.values(measure, chosen))

    tokens: dict[str, Json] = {}
    if config.tokenizer is not None:
        tokens["female_minus_male_tokens"] = spread("tokens_apart")
    return {
        "groups": {"female": len(places), "male": len(places)},
        "clusters": ledger.count_clusters(chosen),
        "problems_seen": tally.total,
        "sources": tally.as_json(),
        "coverage": coverage,
        "balance": {kind: dict(counts) for kind, counts in evenness.items()},
        "confidence": spread("confidence"),
        "length": {
            "prompt_characters": spread("characters"),
            "female_minus_male_words": spread("words_apart"),
            "female_minus_male_characters": spread("characters_apart"),
            **tokens,
        },
        "config": config.model_dump(mode="json"),
    }
