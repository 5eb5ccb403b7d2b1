"""What reading a text for gender gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Gender = Literal["male", "female"]
LabelValue = Literal["male", "female", "neutral", "mixed"]
Target = Literal["male", "female", "swap"]
RefusalReason = Literal["mixed", "sex_bound", "real_person", "protected_marker", "gendered"]

OPPOSITE: Final[dict[Gender, Gender]] = {"male": "female", "female": "male"}


class Span(NamedTuple):
    """A gender marker: `text == document[start:end]`, offsets in characters (code points)."""

    start: int
    end: int
    text: str
    gender: Gender


# What a `Span` is made of: millions of them go into tables, and a plain tuple is made fastest.
PlainSpan = tuple[int, int, str, Gender]


@dataclass(frozen=True, slots=True)
class Label:
    """Which gender a text marks, and the markers it was read from, in order."""

    value: LabelValue
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SwapResult:
    """The swapped text.

    Attributes:
        text: the new text; equal to the input when there was nothing to swap.
        spans: the gender markers of the new text, in order.
        confidence: in 0..1, the least certain of the choices made (`her` → `him`/`his` …).
    """

    text: str
    spans: tuple[Span, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """The text has no version of the wanted gender.

    Attributes:
        reason: `mixed` (both genders stand in it, one was asked for), `sex_bound` (a predicate
            that goes with one sex), `real_person` (a named person of history or public life),
            `protected_marker` (a marker stands where nothing may be changed) or `gendered`
            (`mark` was asked to bring gender into a text that has it).
        detail: the words that led to it.
    """

    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class MarkResult:
    """A neutral text with gender brought in, once for each gender, alike in all else."""

    female: str
    male: str
    female_spans: tuple[Span, ...]
    male_spans: tuple[Span, ...]
