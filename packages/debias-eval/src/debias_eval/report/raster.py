"""How a scene is drawn as PNG: matplotlib's Agg canvas, no display, no global state."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from debias_eval.report.scene import (
    BACKGROUND,
    COLOURS,
    Anchor,
    Box,
    Dot,
    Line,
    Scene,
    Shape,
    Text,
    printable,
)

_SCALE = 2
_ALIGN: Mapping[Anchor, Literal["left", "center", "right"]] = {
    "start": "left",
    "middle": "center",
    "end": "right",
}


def to_png(scene: Scene) -> bytes:
    """Return the scene as a PNG image at twice its size in pixels, on white."""
    width, height = scene.size
    figure = Figure(figsize=(width / 72, height / 72), dpi=72 * _SCALE, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for order, shape in enumerate(scene.shapes):
        _draw(axes, shape, order)
    target = io.BytesIO()
    # Without the version in its metadata the same scene gives the same bytes.
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _draw(axes: Axes, shape: Shape, order: int) -> None:
    colour = COLOURS[shape.ink]
    match shape:
        case Line():
            (x1, y1), (x2, y2) = shape.start, shape.end
            style = (0, (3, 3)) if shape.dashed else "-"
            axes.plot(
                (x1, x2), (y1, y2), color=colour, lw=shape.width, linestyle=style, zorder=order
            )
        case Box():
            box = Rectangle(shape.corner, *shape.size, color=colour, linewidth=0, zorder=order)
            axes.add_patch(box)
        case Dot():
            face = BACKGROUND if shape.hollow else colour
            dot = Circle(shape.centre, shape.radius, fc=face, ec=colour, lw=2, zorder=order)
            axes.add_patch(dot)
        case Text():
            # A dollar sign would start matplotlib's own formula language.
            text = axes.text(*shape.at, printable(shape.text), color=colour, zorder=order)
            text.set_parse_math(False)
            text.set_fontsize(shape.size)
            text.set_fontweight("bold" if shape.bold else "normal")
            text.set_horizontalalignment(_ALIGN[shape.anchor])
            text.set_verticalalignment("baseline")
