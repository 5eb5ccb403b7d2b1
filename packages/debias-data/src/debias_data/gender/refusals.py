"""Texts that have no counterpart: predicates bound to one sex, and real persons."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final

from debias_data.gender.lexicon import read_table
from debias_data.gender.tokens import Document

_SEX_BOUND: Final = re.compile(
    r"""\b(
        (?:im)?pregnan\w* | breast-?\s?fe(?:e?d)\w* | breast\s+(?:milk|cancer)
      | lactat(?:e|es|ed|ing|ion)
      | (?:gives?|gave|giving|given)\s+birth | birthing | childbirth
      | in\s+labou?r(?!\s+(?:cost|force|law|union|market|econom)) | labou?r\s+pains
      | miscarr\w+ | (?:had|has|have|having|an)\s+abortion | c-section | c(?:a)?esarean
      | menstru\w+ | menopaus\w+ | ovar(?:y|ies|ian) | ovulat\w+ | uterus | uterine | womb
      | cervix | cervical\s+(?:cancer|smear) | vagina\w* | hysterectom\w+ | mastectom\w+
      | gyn(?:a)?ecolog\w+ | obstetric\w* | mammogram\w* | endometri\w+ | pap\s+smear
      | prostat\w+ | testic\w+ | testosterone | sperm | semen | scrot\w+ | penis | penile
      | vasectom\w+ | erectile | ejaculat\w+ | circumcis\w+ | foreskin | beards? | bearded
      | mo?ustaches? | wet\s+nurse\w* | surrogate\s+mother | maternity | paternity | tampons?
      | sanitary\s+(?:pads?|napkins?) | virility | emasculat\w+ | castrat\w+
      | (?:trimester|midwife)s?
      | expecting\s+(?:a\s+(?:baby|child)|twins|triplets|her) | nursing\s+(?:a|her|the)\s+baby
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


# One word of every expression above. The expressions are many and the words few, so most texts are
# never searched for the expressions.
_SEX_BOUND_WORD: Final = re.compile(
    r"""(?: (?:im)?pregnan\w* | breast\w* | lactat\w+ | (?:child)?birth | birthing | labou?r
      | miscarr\w+ | abortion | c-section | ca?esarean | menstru\w+ | menopaus\w+
      | ovar(?:y|ies|ian) | ovulat\w+ | uter(?:us|ine) | womb | cervi(?:x|cal) | vagina\w*
      | hysterectom\w+ | mastectom\w+ | gyna?ecolog\w+ | obstetric\w* | mammogram\w*
      | endometri\w+ | pap | prostat\w+ | testic\w+ | testosterone | sperm | semen | scrot\w+
      | pen(?:is|ile) | vasectom\w+ | erectile | ejaculat\w+ | circumcis\w+ | foreskin
      | beard(?:s|ed)? | mo?ustaches? | wet | surrogate | [mp]aternity | tampons? | sanitary
      | virility | emasculat\w+ | castrat\w+ | (?:trimester|midwife)s? | expecting | nursing
    )(?!\w)""",
    re.VERBOSE,
)


def is_of_sex_bound(lower: str) -> bool:
    """Whether a word in lower case may be part of a predicate that goes with one sex."""
    if _SEX_BOUND_WORD.match(lower) is not None:
        return True
    return "-" in lower and any(map(_SEX_BOUND_WORD.match, lower.split("-")))


def is_of_person(lower: str) -> bool:
    """Whether a word in lower case may be the last name of a real person."""
    return lower.removesuffix("'s") in _persons()


def last_names() -> Iterable[str]:
    """The last names of real persons, in lower case."""
    return _persons()


def sex_bound(document: Document) -> str | None:
    """The first predicate in the text that goes with one sex, or None."""
    match = _SEX_BOUND.search(document.text)
    return match[1] if match else None


@cache
def _persons() -> dict[str, list[str]]:
    """The real persons by their last names, in lower case."""
    persons: dict[str, list[str]] = {}
    for row in read_table("persons.tsv"):
        persons.setdefault(row["name"].split()[-1].lower(), []).append(row["name"])
    return persons


@lru_cache(maxsize=1 << 10)
def _pattern_of(names: tuple[str, ...]) -> re.Pattern[str]:
    full = "|".join(re.escape(name) for name in names if " " in name)
    # A surname alone is a person only as a subject or object, not in `Newton's method`.
    alone = "|".join(re.escape(name) for name in names if " " not in name)
    return re.compile(
        rf"\b(?:({full or '(?!)'})|({alone or '(?!)'})"
        r"(?!\w|['’]s?\s|-|\s+(?:[Mm]ethod|[Tt]heorem|[Ff]ormula|"
        r"[Ee]quation|[Cc]onstant|[Nn]umber|[Ss]eries|[Dd]istribution|[Ff]unction|[Ii]dentity|"
        r"[A-Z]\w+)))"
    )


def real_person(document: Document, places: Iterable[int]) -> str | None:
    """The first real person named in the text, or None.

    Args:
        document: the text.
        places: indices of the words that may be last names (`is_of_person`).
    """
    persons = _persons()
    last = {document.lower(place).removesuffix("'s") for place in places}
    text = document.text
    found = sorted(name for one in last for name in persons[one] if name in text)
    match = _pattern_of(tuple(found)).search(text) if found else None
    return (match[1] or match[2]) if match else None
