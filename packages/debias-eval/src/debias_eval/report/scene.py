"""A picture as a list of shapes, and how it is drawn as SVG.

A figure is described once. In the page its colours are the page's own (CSS variables, so it
follows dark and light); in files they are fixed. Coordinates are pixels, y downwards.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Ink = Literal["ink", "muted", "line", "accent", "other", "zone"]
Anchor = Literal["start", "middle", "end"]

COLOURS: Mapping[Ink, str] = {
    "ink": "#22262b",
    "muted": "#646b73",
    "line": "#d9dbd6",
    "accent": "#0f6e6e",
    "other": "#8a5a14",
    "zone": "#dcebe5",
}
BACKGROUND = "#ffffff"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    start: tuple[float, float]
    end: tuple[float, float]
    ink: Ink
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle from its upper left corner."""

    corner: tuple[float, float]
    size: tuple[float, float]
    ink: Ink


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc; hollow means an outline."""

    centre: tuple[float, float]
    radius: float
    ink: Ink
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text on a baseline."""

    at: tuple[float, float]
    text: str
    ink: Ink = "ink"
    anchor: Anchor = "start"
    size: float = 13.0
    bold: bool = False


Shape = Line | Box | Dot | Text


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture.

    Attributes:
        name: unique within a page; part of element ids.
        size: width and height, pixels.
        shapes: in drawing order.
        title: what it is, for people who do not see it.
        description: what it shows, with the numbers.
    """

    name: str
    size: tuple[float, float]
    shapes: Sequence[Shape]
    title: str
    description: str


def to_svg(scene: Scene, *, themed: bool) -> str:
    """Return the scene as one ``<svg>`` element with its text alternative; all text is escaped.

    Args:
        scene: the picture.
        themed: colours from the page's CSS variables; otherwise fixed ones on white.
    """
    width, height = scene.size
    ids = (f"{scene.name}-title", f"{scene.name}-desc")
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-labelledby": " ".join(ids),
            "font-family": _FONT,
        },
    )
    ET.SubElement(root, "title", {"id": ids[0]}).text = printable(scene.title)
    ET.SubElement(root, "desc", {"id": ids[1]}).text = printable(scene.description)
    if not themed:
        root.set("width", f"{width:g}")
        root.set("height", f"{height:g}")
        _add(root, "rect", {"width": width, "height": height, "fill": BACKGROUND})
    for shape in scene.shapes:
        _draw_svg(root, shape, themed=themed)
    return ET.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Return ``text`` without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _draw_svg(root: ET.Element, shape: Shape, *, themed: bool) -> None:
    colour = f"var(--{shape.ink})" if themed else COLOURS[shape.ink]
    background = "var(--card)" if themed else BACKGROUND
    match shape:
        case Line():
            (x1, y1), (x2, y2) = shape.start, shape.end
            line = _add(root, "line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2})
            line.set("style", f"stroke:{colour};stroke-width:{shape.width:g}")
            if shape.dashed:
                line.set("stroke-dasharray", "3 3")
        case Box():
            (x, y), (width, height) = shape.corner, shape.size
            box = _add(root, "rect", {"x": x, "y": y, "width": width, "height": height})
            box.set("style", f"fill:{colour}")
        case Dot():
            (x, y) = shape.centre
            dot = _add(root, "circle", {"cx": x, "cy": y, "r": shape.radius})
            fill = background if shape.hollow else colour
            dot.set("style", f"fill:{fill};stroke:{colour};stroke-width:2")
        case Text():
            (x, y) = shape.at
            text = _add(root, "text", {"x": x, "y": y, "text-anchor": shape.anchor})
            text.set("font-size", f"{shape.size:g}")
            text.set("style", f"fill:{colour}" + (";font-weight:600" if shape.bold else ""))
            text.text = printable(shape.text)


def _add(root: ET.Element, tag: str, attributes: Mapping[str, float | str]) -> ET.Element:
    plain = {
        key: value if isinstance(value, str) else f"{round(value, 2):g}"
        for key, value in attributes.items()
    }
    return ET.SubElement(root, tag, plain)
