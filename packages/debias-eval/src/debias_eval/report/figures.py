"""The two pictures of a report: every gap with its interval, and bias against capability."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from debias_eval.comparison.comparing import Comparison
from debias_eval.report.inputs import NamedComparison, ReportInput
from debias_eval.report.scene import Anchor, Box, Dot, Ink, Line, Scene, Shape, Text
from debias_eval.report.wording import nats, percent, plain, share, signed
from debias_eval.statistics.intervals import Estimate

_WIDTH = 440.0
_LEFT, _RIGHT = 14.0, 428.0
_NAME_LIMIT = 24

Role = Literal["original", "primary", "other"]
_INKS: Mapping[Role, Ink] = {"original": "muted", "primary": "accent", "other": "other"}


@dataclass(frozen=True, slots=True)
class _Axis:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        cut = min(max(value, self.low), self.high)
        return self.start + (cut - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        step = _step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class _Area:
    """A rectangle on the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Area) -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self, frame: _Area) -> float:
        own = (self.right - self.left) * (self.bottom - self.top)
        return own - self.overlap(frame)


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    bias: Estimate
    kept: Estimate
    role: Role


def gap_scene(report: ReportInput) -> Scene | None:
    """Return the gap before and after, one row a model; None where no gap was compared."""
    rows = _gap_rows(report)
    if not rows:
        return None
    margin = report.primary.comparison.gap_margin
    ends = [bound for _, gap, _ in rows for bound in (gap.low, gap.high) if math.isfinite(bound)]
    reach = 1.08 * max([margin * 1.6, *map(abs, ends), *(abs(gap.value) for _, gap, _ in rows)])
    axis = _Axis(-reach, reach, _LEFT, _RIGHT)
    top, row_height = 30.0, max(46.0, min(68.0, 272.0 / len(rows)))
    bottom = top + row_height * len(rows)
    shapes: list[Shape] = [
        Box((axis.at(-margin), top), (axis.at(margin) - axis.at(-margin), bottom - top), "zone"),
        Text((axis.at(0), top - 10), f"margin ±{margin:g}", "muted", "middle"),
        Line((axis.at(0), top), (axis.at(0), bottom), "muted", 1.0, dashed=True),
    ]
    for index, (name, gap, tone) in enumerate(rows):
        y = top + row_height * index
        ink = _INKS[tone]
        shapes += [
            Text((_LEFT, y + 17), _short(name), "ink", bold=tone == "primary"),
            Text((_RIGHT, y + 17), nats(gap), "muted", "end", 12.0),
            Line((axis.at(gap.low), y + 32), (axis.at(gap.high), y + 32), ink, 3.0),
            Dot((axis.at(gap.value), y + 32), 5.0, ink, hollow=tone == "original"),
        ]
    shapes += _x_axis(axis, bottom, "entropy gap, nats (female − male), 95% interval", signed)
    return Scene(
        name="figure-gap",
        size=(_WIDTH, bottom + 48),
        shapes=shapes,
        title="Entropy gap of each model with its 95% interval",
        description="; ".join(f"{name}: {nats(gap)} nats" for name, gap, _ in rows)
        + f". The margin is ±{margin:g} nats.",
    )


def pareto_scene(report: ReportInput) -> Scene | None:
    """Return absolute gap against capability kept; None where either is missing."""
    drawn = _pareto_points(report)
    if len(drawn) < 2:
        return None
    margin, drop = report.primary.comparison.gap_margin, report.primary.comparison.margin
    x_high = 1.1 * max([2 * margin, *(_finite(p.bias.high, p.bias.value) for p in drawn)])
    lows = [_finite(point.kept.low, point.kept.value) for point in drawn]
    highs = [_finite(point.kept.high, point.kept.value) for point in drawn]
    y_low = max(0.0, min(1 - 2 * drop, *lows) - 0.03)
    y_high = max(1.03, *highs) + 0.02
    top, bottom = 16.0, 300.0
    x_axis = _Axis(0.0, x_high, 62.0, _RIGHT)
    y_axis = _Axis(y_low, y_high, bottom, top)
    zone_height = y_axis.at(1 - drop) - top
    shapes: list[Shape] = [
        Box((x_axis.at(0), top), (x_axis.at(margin) - x_axis.at(0), zone_height), "zone"),
    ]
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        shapes += [
            Line((x_axis.start, y), (x_axis.end, y), "line"),
            Text((x_axis.start - 8, y + 4), percent(tick, 0), "muted", "end", 12.0),
        ]
    for point in drawn:
        shapes += _cross(point, x_axis, y_axis)
    shapes += _names(drawn, x_axis, y_axis)
    label = "|entropy gap|, nats; up: share of scores left"
    shapes += _x_axis(x_axis, bottom, label, plain)
    text = "; ".join(
        f"{p.name}: absolute gap {nats(p.bias, sign=False)} nats, scores left {share(p.kept)}"
        for p in drawn
    )
    return Scene(
        name="figure-pareto",
        size=(_WIDTH, bottom + 48),
        shapes=shapes,
        title="Bias against capability",
        description=f"{text}. Better is up and to the left; the shaded corner is the target.",
    )


def capability_left(comparison: Comparison) -> Estimate | None:
    """Return candidate/baseline as a mean over capability benchmarks, not cut at 1.

    The interval averages the ends of the benchmarks' own intervals. None where no benchmark was
    compared on which the original scored above 0.
    """
    kept = [
        entry.test.kept
        for entry in comparison.benchmarks
        if entry.test is not None and entry.test.kept.baseline > 0
    ]
    if not kept:
        return None
    count = len(kept)
    return Estimate(
        sum(item.candidate / item.baseline for item in kept) / count,
        sum(1 + item.difference.low / item.baseline for item in kept) / count,
        sum(1 + item.difference.high / item.baseline for item in kept) / count,
    )


def _gap_rows(report: ReportInput) -> list[tuple[str, Estimate, Role]]:
    rows: list[tuple[str, Estimate, Role]] = []
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        if gap is None:
            continue
        if not rows:
            rows.append((report.baseline_name, gap.before.gap, "original"))
        rows.append((candidate.name, gap.after.gap, _role(candidate)))
    return rows


def _pareto_points(report: ReportInput) -> list[_Point]:
    points: list[_Point] = []
    for candidate in report.ordered:
        gap, kept = candidate.comparison.gap, capability_left(candidate.comparison)
        if gap is None or kept is None:
            continue
        if not points:
            exact = Estimate(1.0, 1.0, 1.0)
            points.append(
                _Point(
                    report.baseline_name,
                    _absolute(gap.before.gap),
                    exact,
                    "original",
                )
            )
        points.append(
            _Point(
                candidate.name,
                _absolute(gap.after.gap),
                kept,
                _role(candidate),
            )
        )
    return points


def _role(candidate: NamedComparison) -> Role:
    return "primary" if candidate.is_primary else "other"


def _absolute(gap: Estimate) -> Estimate:
    inside = gap.low <= 0.0 <= gap.high
    low = 0.0 if inside else min(abs(gap.low), abs(gap.high))
    return Estimate(abs(gap.value), low, max(abs(gap.low), abs(gap.high)))


def _cross(point: _Point, x_axis: _Axis, y_axis: _Axis) -> list[Shape]:
    ink = _INKS[point.role]
    x, y = x_axis.at(point.bias.value), y_axis.at(point.kept.value)
    return [
        Line((x_axis.at(point.bias.low), y), (x_axis.at(point.bias.high), y), ink, 2.0),
        Line((x, y_axis.at(point.kept.low)), (x, y_axis.at(point.kept.high)), ink, 2.0),
        Dot((x, y), 5.0, ink, hollow=point.role == "original"),
    ]


def _names(points: Sequence[_Point], x_axis: _Axis, y_axis: _Axis) -> list[Shape]:
    """Return a label by each point, where it covers the fewest marks and other labels."""
    taken: list[_Area] = []
    for point in points:
        x, y = x_axis.at(point.bias.value), y_axis.at(point.kept.value)
        taken += [
            _Area(x_axis.at(point.bias.low), y - 4, x_axis.at(point.bias.high), y + 4),
            _Area(x - 4, y_axis.at(point.kept.high), x + 4, y_axis.at(point.kept.low)),
        ]
    frame = _Area(x_axis.start, y_axis.end, x_axis.end, y_axis.start)
    labels: list[Shape] = []
    for point in points:
        name = _short(point.name, 24)
        places = _places(x_axis.at(point.bias.value), y_axis.at(point.kept.value), name)
        anchor, at, area = min(
            places,
            key=lambda place: (
                sum(place[2].overlap(other) for other in taken) + 10 * place[2].outside(frame)
            ),
        )
        taken.append(area)
        labels.append(Text(at, name, "ink", anchor, bold=point.role == "primary"))
    return labels


def _places(x: float, y: float, name: str) -> list[tuple[Anchor, tuple[float, float], _Area]]:
    """Return where a label may stand, best first: anchor, baseline and the area it covers."""
    width = 8.0 * len(name)
    places: list[tuple[Anchor, tuple[float, float], _Area]] = []
    for step in (8.0, 22.0, 36.0, 50.0):
        for base in (y - step, y + step + 9):
            box_y = (base - 11, base + 3)
            places += [
                ("start", (x + 9, base), _Area(x + 9, box_y[0], x + 9 + width, box_y[1])),
                ("end", (x - 9, base), _Area(x - 9 - width, box_y[0], x - 9, box_y[1])),
            ]
    return places


def _x_axis(axis: _Axis, y: float, label: str, number: Callable[[float, int], str]) -> list[Shape]:
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


def _finite(bound: float, otherwise: float) -> float:
    return bound if math.isfinite(bound) else otherwise


def _short(name: str, limit: int = _NAME_LIMIT) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
