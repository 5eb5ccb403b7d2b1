"""Dots over one axis, as SVG with a text for those who do not see it; the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

import numpy as np

_LABELS, _PLOT, _ROW, _TOP, _BOTTOM = 330, 470, 26, 34, 52
_INK, _SOFT, _BAND, _DOT = "#222222", "#bbbbbb", "#e3eee3", "#1f5fa8"


@dataclass(frozen=True, slots=True)
class Dot:
    """One value of a picture, with its interval where it has one."""

    value: float
    filled: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines of dots over one axis.

    Attributes:
        title: of the axis, with the unit.
        text: what it shows, for those who do not see it.
        lines: a label and its dots.
        footer: what the dots mean.
        band: what was aimed at.
        log: whether the axis is logarithmic.
    """

    title: str
    text: str
    lines: tuple[tuple[str, tuple[Dot, ...]], ...]
    footer: str
    band: tuple[float, float] | None = None
    log: bool = False

    def ticks(self) -> list[float]:
        """Round values that span all dots and the band."""
        ends = [
            end
            for _, dots in self.lines
            for dot in dots
            for end in (dot.value, dot.low, dot.high)
            if end is not None
        ]
        low, high = min([*ends, *(self.band or ())]), max([*ends, *(self.band or ())])
        if self.log:
            first = int(np.floor(np.log10(max(low, _FLOOR))))
            last = int(np.ceil(np.log10(max(high, _FLOOR))))
            return [10.0**power for power in range(first, max(last, first + 1) + 1)]
        step = 10.0 ** np.floor(np.log10(max(high - low, 1e-9)))
        step *= next(size for size in (0.2, 0.5, 1, 2) if (high - low) / (step * size) <= 7)
        count = int(np.ceil(high / step - 1e-9)) - int(np.floor(low / step + 1e-9))
        start = float(np.floor(low / step + 1e-9)) * step
        return [start + index * float(step) for index in range(count + 1)]


_FLOOR = 1e-4  # of logarithmic axes: what is smaller is drawn here


def draw(picture: Picture) -> str:
    """Returns the picture as SVG, the same text for the same rows."""
    ticks = picture.ticks()

    def place(value: float) -> float:
        ends = (ticks[0], ticks[-1])
        if picture.log:
            value, ends = np.log10(max(value, _FLOOR)), (np.log10(ends[0]), np.log10(ends[1]))
        return round(float(_LABELS + _PLOT * (value - ends[0]) / (ends[1] - ends[0])), 1)

    bottom = _TOP + _ROW * len(picture.lines)
    width, height = _LABELS + _PLOT + 40, bottom + _BOTTOM
    shapes = [f'<rect width="{width}" height="{height}" fill="white"/>']
    if picture.band:
        left, right = map(place, picture.band)
        shapes.append(
            f'<rect x="{left}" y="{_TOP}" width="{right - left:.1f}" height="{bottom - _TOP}" '
            f'fill="{_BAND}"/>'
        )
    for tick in ticks:
        shapes.append(_rule(place(tick), _TOP, bottom, _SOFT, 0.5))
        shapes.append(_text(place(tick), bottom + 16, f"{tick:.4g}", "middle"))
    for number, (label, dots) in enumerate(picture.lines):
        shapes += _dots(dots, place, _TOP + _ROW * number + _ROW / 2)
        shapes.append(_text(_LABELS - 14, _TOP + _ROW * number + _ROW / 2 + 4, label, "end"))
    shapes.append(_text(_LABELS, 18, picture.title, "start", bold=True))
    shapes.append(_text(_LABELS, bottom + 38, picture.footer, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="12">\n<title>{escape(picture.title)}</title>\n'
        f"<desc>{escape(picture.text)}</desc>\n" + "\n".join(shapes) + "\n</svg>\n"
    )


def image(key: str, pictures: Mapping[str, Picture]) -> str:
    """Returns the Markdown that shows a picture, with its text."""
    return f"![{pictures[key].text}]({key}.svg)"


def _dots(dots: Sequence[Dot], place: Callable[[float], float], y: float) -> Iterator[str]:
    for dot in dots:
        x = place(dot.value)
        if dot.low is not None and dot.high is not None:
            yield (
                f'<line x1="{place(dot.low)}" x2="{place(dot.high)}" y1="{y}" y2="{y}" '
                f'stroke="{_DOT}" stroke-width="2"/>'
            )
        fill = _DOT if dot.filled else "white"
        yield f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="{_DOT}" opacity="0.8"/>'
    if len(dots) > 1:
        yield _rule(place(fmean(dot.value for dot in dots)), y - 9, y + 9, _INK, 2)


def _rule(x: float, top: float, bottom: float, colour: str, width: float) -> str:
    ends = f'x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    at = f'x="{x}" y="{y}" text-anchor="{anchor}" fill="{_INK}"{weight}'
    return f"<text {at}>{escape(text)}</text>"
