"""`her` is him or his, `his` is her or hers: the choice by context, with how sure it is."""

from __future__ import annotations

from typing import NamedTuple

from debias_data.gender.her import her_is_object
from debias_data.gender.his import his_stands_alone
from debias_data.gender.tokens import Document


class Choice(NamedTuple):
    """A form and how sure it is, in 0..1."""

    form: str
    confidence: float


def choose(document: Document, index: int, form: str) -> Choice:
    """The counterpart of `her` or `his` at `index`.

    Raises:
        ValueError: `form` is another word.
    """
    if form == "her":
        is_object, confidence = her_is_object(document, index)
        return Choice("him" if is_object else "his", confidence)
    if form == "his":
        stands_alone, confidence = his_stands_alone(document, index)
        return Choice("hers" if stands_alone else "her", confidence)
    raise ValueError(f"{form!r} has one counterpart only")
