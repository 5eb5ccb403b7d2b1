"""What the pictures of a report share: their width, a linear axis, colours by role."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from debias_eval.report.scene import Ink, Line, Shape, Text

WIDTH = 380.0
LEFT, RIGHT = 8.0, 372.0
_NAME_LIMIT = 24

Role = Literal["original", "primary", "other"]
INKS: Mapping[Role, Ink] = {"original": "muted", "primary": "accent", "other": "other"}


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value; outside the axis that of its nearer end."""
        cut = min(max(value, self.low), self.high)
        return self.start + (cut - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values, about five."""
        step = _step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def x_axis_marks(
    axis: Axis, y: float, label: str, number: Callable[[float, int], str]
) -> list[Shape]:
    """Return a horizontal axis at height ``y``: line, ticks, numbers and what they mean."""
    digits = max(0, -math.floor(math.log10(_step((axis.high - axis.low) / 5))))
    shapes: list[Shape] = [Line((axis.start, y), (axis.end, y), "muted")]
    for tick in axis.ticks():
        x = axis.at(tick)
        shapes += [
            Line((x, y), (x, y + 4), "muted"),
            Text((x, y + 18), number(tick, digits), "muted", "middle", 12.0),
        ]
    shapes.append(Text(((axis.start + axis.end) / 2, y + 39), label, "muted", "middle", 12.0))
    return shapes


def _step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def short_name(name: str, limit: int = _NAME_LIMIT) -> str:
    """Return a name that fits into a picture."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
