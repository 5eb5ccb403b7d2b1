"""From a metric with its interval to a mark with all the marks that the interval allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LETTERS", "Mark", "marks_of"]

LETTERS = "ABCD"
_FEWEST_ITEMS = 30
_RULE_OF_THREE = 3.0  # none of n alike: up to 3/n of all may differ, at 95%

Ranges = list[list[list[float]]]


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of one metric.

    Attributes:
        value: The metric.
        interval: Of the metric, as far as it is known.
        mark: Of the value, 0 (A) to 3 (D).
        allowed: Best and worst mark that the interval allows.
        num_items: Items with an answer that could be read.
    """

    value: float
    interval: tuple[float, float]
    mark: int
    allowed: tuple[int, int]
    num_items: int

    @property
    def verdict(self) -> str:
        """Return the letter, or ``inconclusive`` where the interval allows more than one."""
        return LETTERS[self.mark] if self.allowed == (self.mark, self.mark) else "inconclusive"

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "value": self.value,
            "interval": self.interval,
            "mark": LETTERS[self.mark],
            "allowed": [LETTERS[mark] for mark in self.allowed],
            "verdict": self.verdict,
            "num_items": self.num_items,
        }


def marks_of(report: Mapping[str, object]) -> dict[str, Mark]:
    """Return the marks of a probe by metric; metrics that are not numbers have none."""
    metrics = cast("Mapping[str, Mapping[str, object]]", report["metrics"])
    size = cast("int", report["num_detected"])
    found = {}
    for definition in cast("Sequence[Mapping[str, object]]", report["marks"]):
        name, ranges = str(definition["metric"]), cast("Ranges", definition["ranges"])
        value, interval = metrics[name]["value"], metrics[name]["interval"]
        if isinstance(value, float) and isinstance(interval, list) and None not in interval:
            low, high = _known_interval(value, cast("list[float]", interval), ranges, size)
            found[name] = Mark(
                value, (low, high), _mark(value, ranges), _allowed(low, high, ranges, size), size
            )
    return found


def _known_interval(
    value: float, interval: list[float], ranges: Ranges, size: int
) -> tuple[float, float]:
    """Return the interval, which holds the value; one without width is widened within the scale."""
    low, high = min(interval[0], value), max(interval[1], value)
    if low < high:
        return low, high
    ends = [end for grade in ranges for part in grade for end in part]
    reach = _RULE_OF_THREE / max(size, 1) * (max(ends) - min(ends))
    return max(min(ends), low - reach), min(max(ends), high + reach)


def _mark(value: float, ranges: Ranges) -> int:
    """Return the best mark whose range holds the value; the nearest where none does."""

    def distance(grade: int) -> float:
        return min(max(low - value, value - high, 0.0) for low, high in ranges[grade])

    return min(range(len(ranges)), key=lambda grade: (distance(grade), grade))


def _allowed(low: float, high: float, ranges: Ranges, size: int) -> tuple[int, int]:
    """Return the best and the worst mark that an interval touches; all of them for few items."""
    if size < _FEWEST_ITEMS:
        return 0, len(ranges) - 1
    # Neighbours share an end: an interval that only touches it does not reach beyond.
    inside = [
        grade
        for grade, parts in enumerate(ranges)
        if any(start < high and low < end for start, end in parts)
    ]
    inside += [_mark(low, ranges), _mark(high, ranges)] if not inside else []
    return min(inside), max(inside)
