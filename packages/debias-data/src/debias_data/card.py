"""The card of a pair table: what went in, what was left out and why, and how it is spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from debias_data.balance import Evenness
from debias_data.config import BuildConfig
from debias_data.counterfactual import Dropped, Made
from debias_data.statistics import association, quantiles

if TYPE_CHECKING:
    from debias_data.jsonl import Json

_EXAMPLES = 5
_CROSSED = ("domain", "source", "split")


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

    def add(self, outcome: Made | Dropped) -> None:
        """Count one problem."""
        if isinstance(outcome, Made):
            self.made[outcome.rows[0]["source"]] += 1
        else:
            self._drop(outcome.source, outcome.reason, outcome.place)

    def drop_made(self, pair: Made, reason: str) -> None:
        """Take a pair that was counted back, and count it as dropped."""
        source = pair.rows[0]["source"]
        self.made[source] -= 1
        self._drop(source, reason, pair.rows[0]["pair_id"])

    def _drop(self, source: str, reason: str, place: str) -> None:
        self.dropped.setdefault(source, Counter())[reason] += 1
        places = self.places.setdefault((source, reason), [])
        if len(places) < _EXAMPLES:
            places.append(place)

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


def make_card(
    pairs: Sequence[Made], tally: Tally, config: BuildConfig, evenness: Evenness
) -> dict[str, Json]:
    """Figures about the pairs, as plain JSON; the same for the same pairs."""
    firsts = [pair.rows[0] for pair in pairs]
    origins = [pair.origin for pair in pairs]
    coverage: dict[str, Json] = {}
    for column in _CROSSED:
        values = [row[column] for row in firsts]  # type: ignore[literal-required]  # of _CROSSED
        coverage[column] = dict(sorted(Counter(values).items()))
        coverage[f"{column}_by_origin"] = association(values, origins)
    differences = [
        float(len(pair.rows[0]["prompt"].split()) - len(pair.rows[1]["prompt"].split()))
        for pair in pairs
    ]
    characters = [
        float(len(pair.rows[0]["prompt"]) - len(pair.rows[1]["prompt"])) for pair in pairs
    ]
    return {
        "groups": {"female": len(pairs), "male": len(pairs)},
        "clusters": len({row["cluster_id"] for row in firsts}),
        "problems_seen": tally.total,
        "sources": tally.as_json(),
        "coverage": coverage,
        "balance": {kind: dict(counts) for kind, counts in evenness.items()},
        "confidence": quantiles([pair.confidence for pair in pairs]),
        "length": {
            "prompt_characters": quantiles([float(len(row["prompt"])) for row in firsts]),
            "female_minus_male_words": quantiles(differences),
            "female_minus_male_characters": quantiles(characters),
        },
        "config": config.model_dump(mode="json"),
    }
