"""Bias against capability: what less bias costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from debias_eval.comparison.comparing import Comparison
from debias_eval.report.axes import INKS, LEFT, RIGHT, WIDTH, Axis, Role, short_name, x_axis_marks
from debias_eval.report.inputs import ReportInput
from debias_eval.report.scene import Anchor, Box, Dot, Line, Scene, Shape, Text
from debias_eval.report.wording import nats, percent, plain, share
from debias_eval.statistics.intervals import Estimate


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
    top, bottom = 30.0, 300.0
    x_axis = Axis(0.0, x_high, 48.0, RIGHT)
    y_axis = Axis(y_low, y_high, bottom, top)
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
    shapes.append(Text((LEFT, 14.0), "share of scores left", "muted", size=12.0))
    shapes += x_axis_marks(x_axis, bottom, "absolute entropy gap, nats", plain)
    text = "; ".join(
        f"{p.name}: absolute gap {nats(p.bias, sign=False)} nats, scores left {share(p.kept)}"
        for p in drawn
    )
    return Scene(
        name="figure-pareto",
        size=(WIDTH, bottom + 48),
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
                "primary" if candidate.is_primary else "other",
            )
        )
    return points


def _absolute(gap: Estimate) -> Estimate:
    inside = gap.low <= 0.0 <= gap.high
    low = 0.0 if inside else min(abs(gap.low), abs(gap.high))
    return Estimate(abs(gap.value), low, max(abs(gap.low), abs(gap.high)))


def _cross(point: _Point, x_axis: Axis, y_axis: Axis) -> list[Shape]:
    ink = INKS[point.role]
    x, y = x_axis.at(point.bias.value), y_axis.at(point.kept.value)
    return [
        Line((x_axis.at(point.bias.low), y), (x_axis.at(point.bias.high), y), ink, 2.0),
        Line((x, y_axis.at(point.kept.low)), (x, y_axis.at(point.kept.high)), ink, 2.0),
        Dot((x, y), 5.0, ink, hollow=point.role == "original"),
    ]


def _names(points: Sequence[_Point], x_axis: Axis, y_axis: Axis) -> list[Shape]:
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
        name = short_name(point.name)
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


def _finite(bound: float, otherwise: float) -> float:
    return bound if math.isfinite(bound) else otherwise
