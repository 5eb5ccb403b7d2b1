"""One finding in a configuration: where it stands, which field, what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file or an override; `line` and `column` count from 1, 0 is unknown."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.line == 0:
            return self.source
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`position path: message`; the path is dotted and empty when the file itself is meant."""

    position: Position
    path: str
    message: str

    def __str__(self) -> str:
        path = self.path if len(self.path) <= 200 else f"{self.path[:150]}…{self.path[-40:]}"
        path = f" {path}" if path else ""
        return f"{self.position}{path}: {self.message}"


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest candidate, or the empty string when none is close.

    A candidate of several words is also close when one of its words is: 'gapp' finds 'pair_gap'.
    """
    word = word[:_MAX_COMPARED]
    scored = [(_likeness(word, candidate), candidate) for candidate in candidates]
    score, best = max(scored, default=(0.0, ""))
    return f"; did you mean '{best}'?" if score >= _CLOSE else ""


_CLOSE = 0.6
_PART_WEIGHT = 0.9  # a likeness to one word of the candidate counts less than to all of it
_MAX_COMPARED = 80


def _likeness(word: str, candidate: str) -> float:
    def ratio(other: str) -> float:
        return difflib.SequenceMatcher(None, word.lower(), other.lower()).ratio()

    whole = ratio(candidate)
    parts = max((ratio(part) for part in candidate.split("_") if len(part) > 2), default=0.0)
    return max(whole, _PART_WEIGHT * parts + 0.1 * whole * (parts >= 0.8))


def shorten(value: object, limit: int = 60) -> str:
    """The repr of a value, cut in the middle, so that a hostile value cannot flood a message."""
    text = repr(value)
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}…{text[-limit // 4 :]}"
