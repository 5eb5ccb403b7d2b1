"""Gaps with their intervals, one row each, against the margin that counts as none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from debias_eval.report.axes import INKS, LEFT, RIGHT, WIDTH, Axis, Role, short_name, x_axis_marks
from debias_eval.report.gap_table import GapColumn, null_rows
from debias_eval.report.inputs import ReportInput
from debias_eval.report.scene import Box, Dot, Line, Scene, Shape, Text
from debias_eval.report.wording import nats, signed
from debias_eval.statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class GapBar:
    """One row of the picture."""

    name: str
    gap: Estimate
    role: Role


def gap_scene(report: ReportInput) -> Scene | None:
    """Return the gap before and after, one row a model; None where no gap was compared."""
    bars: list[GapBar] = []
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        if gap is None:
            continue
        if not bars:
            bars.append(GapBar(report.baseline_name, gap.before.gap, "original"))
        role: Role = "primary" if candidate.is_primary else "other"
        bars.append(GapBar(candidate.name, gap.after.gap, role))
    return gap_picture(bars, report.primary.comparison.gap_margin) if bars else None


def model_gap_scene(model: GapColumn) -> Scene:
    """Return one model's gap above its null rows, in which nothing can differ."""
    nulls = [
        GapBar(row.name, Estimate(row.value, *row.interval), "original")
        for row in null_rows(model.details)
        if row.interval is not None
    ]
    return gap_picture(
        [GapBar("female − male", model.gap.gap, "primary"), *nulls], model.gap.margin
    )


def gap_picture(bars: Sequence[GapBar], margin: float) -> Scene:
    """Return one row a bar: name, number, interval; the margin shaded behind them."""
    ends = [bound for bar in bars for bound in (bar.gap.low, bar.gap.high) if math.isfinite(bound)]
    reach = 1.08 * max([margin * 1.6, *map(abs, ends), *(abs(bar.gap.value) for bar in bars)])
    axis = Axis(-reach, reach, LEFT, RIGHT)
    top, row_height = 30.0, max(46.0, min(68.0, 272.0 / len(bars)))
    bottom = top + row_height * len(bars)
    shapes: list[Shape] = [
        Box((axis.at(-margin), top), (axis.at(margin) - axis.at(-margin), bottom - top), "zone"),
        Text((axis.at(0), top - 10), f"margin ±{margin:g}", "muted", "middle"),
        Line((axis.at(0), top), (axis.at(0), bottom), "muted", 1.0, dashed=True),
    ]
    for index, bar in enumerate(bars):
        y = top + row_height * index
        ink = INKS[bar.role]
        shapes += [
            Text((LEFT, y + 17), short_name(bar.name), "ink", bold=bar.role == "primary"),
            Text((RIGHT, y + 17), nats(bar.gap), "muted", "end", 12.0),
            Line((axis.at(bar.gap.low), y + 32), (axis.at(bar.gap.high), y + 32), ink, 3.0),
            Dot((axis.at(bar.gap.value), y + 32), 5.0, ink, hollow=bar.role == "original"),
        ]
    shapes += x_axis_marks(axis, bottom, "entropy gap, nats (female − male), 95% interval", signed)
    return Scene(
        name="figure-gap",
        size=(WIDTH, bottom + 48),
        shapes=shapes,
        title="Entropy gaps with their 95% intervals",
        description="; ".join(f"{bar.name}: {nats(bar.gap)} nats" for bar in bars)
        + f". The margin is ±{margin:g} nats.",
    )
