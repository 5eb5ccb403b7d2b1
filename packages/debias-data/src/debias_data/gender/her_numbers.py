"""`her` before a number or a quantity: `gave her 12 pencils` but `counted her 12 pencils`."""

from __future__ import annotations

from typing import Final

from debias_data.gender.phrases import ends_here, is_number, subject_is_she
from debias_data.gender.tokens import Document
from debias_data.gender.words import (
    DETERMINERS,
    DITRANSITIVE,
    GIVING,
    PEOPLE,
    PREPOSITIONS,
    TIME_UNITS,
    word_set,
)

_TIMED: Final = word_set("take takes took taken taking last lasts lasted lasting")


def before_number(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """`gave her 12 pencils` but `counted her 12 pencils`."""
    if not (is_number(document, index + 1) or document.gap_after(index).strip() in {"$", "£", "€"}):
        return None
    before = document.lower(index - 1)
    unit = _after_number(document, index + 1)
    if unit == "times" and before not in PREPOSITIONS:
        return True, 0.9
    if unit in PEOPLE:
        return False, 0.85
    if before in _TIMED:
        return _is_timed(document, index, unit), 0.85
    if before in DITRANSITIVE and (
        not subject_is_she(document, index) or _is_price(document, index + 1)
    ):
        return True, 0.9 if before in GIVING else 0.8
    if before == "of" and document.lower(index - 2) in {"cost", "costs"}:
        return True, 0.6
    return False, 0.9


def _is_timed(document: Document, index: int, unit: str) -> bool:
    """Whether `took her 3 …` tells how long something took her."""
    if unit in TIME_UNITS:
        return not subject_is_she(document, index)
    impersonal = {document.lower(index - offset) for offset in (2, 3, 4)}
    return bool(impersonal & {"it", "that", "this", "which"})


def _is_price(document: Document, index: int) -> bool:
    """Whether an amount of money at `index` is paid, `$5 for …`, and not a thing, `$5 bill`."""
    return "$" in document.gap_before(index) and (
        ends_here(document, index)
        or document.lower(index + 1) in {"for", "per", "a", "an", "each", "every", "to", "as", "if"}
    )


def _after_number(document: Document, index: int) -> str:
    """The noun that the number at `index` counts, one adjective over."""
    position = index
    while is_number(document, position) and position < index + 4:
        position += 1
    noun, then = document.lower(position), document.lower(position + 1)
    return then if noun not in TIME_UNITS and then in PEOPLE else noun


def before_quantity(document: Document, index: int) -> tuple[bool, float]:
    """`gave her half the sales`, `asked her many questions`; but `her half of the cake`."""
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    if after == "double" or (after == "half" and then in {"a", "an", "the"}):
        return then in DETERMINERS, 0.85
    if after == "half" and then == "of":
        return before in GIVING, 0.7
    return before in DITRANSITIVE and not subject_is_she(document, index), 0.8
