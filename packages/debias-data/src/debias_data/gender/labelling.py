"""Which gender a text marks."""

from __future__ import annotations

from debias_data.gender.reader import Reading, read
from debias_data.gender.types import Label, LabelValue


def label(text: str) -> Label:
    """Whether `text` marks persons as male, female, both (`mixed`) or neither (`neutral`).

    It reads pronouns, titles, kinship, gendered nouns and given names; not occupations, however
    stereotyped, and not LaTeX, code, URLs, vertex labels or fixed expressions. `his or her` counts
    for neither side.
    """
    return label_reading(read(text))


def label_reading(reading: Reading) -> Label:
    """`label` on a text that has been read already."""
    return Label(value_of(reading), reading.spans())


def value_of(reading: Reading) -> LabelValue:
    """The value of `label_reading` alone."""
    genders = reading.genders()
    return "mixed" if len(genders) > 1 else next(iter(genders), "neutral")
