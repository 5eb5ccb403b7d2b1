"""A table before any format.

A cell is text with an optional second line, a tone for verdicts and a number to sort by. The
formats escape; nothing here is markup.
"""

from __future__ import annotations

from dataclasses import dataclass

from debias_eval.report.wording import MISSING, Tone, interval, plain, signed
from debias_eval.statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        note: a quieter second line.
        tone: how a verdict is marked.
        sort: what to sort by in place of the text.
        block: text of several lines that stands as it was written.
    """

    text: str
    note: str = ""
    tone: Tone | None = None
    sort: float | None = None
    block: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it."""

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def verdict_cell(words: tuple[str, Tone], note: str = "") -> Cell:
    """Return a verdict: its words and how they are marked."""
    return Cell(words[0], note=note, tone=words[1])


def estimate_cell(value: Estimate | None) -> Cell:
    """Return a number without unit, its interval below."""
    if value is None:
        return Cell(MISSING, tone="plain")
    return Cell(plain(value.value), interval(value.low, value.high, sign=False), sort=value.value)


def nats_cell(value: Estimate | None, *, sign: bool = True) -> Cell:
    """Return an entropy in nats, its interval below."""
    if value is None:
        return Cell("not available")
    number = (signed if sign else plain)(value.value)
    return Cell(number, interval(value.low, value.high, sign=sign), sort=value.value)
