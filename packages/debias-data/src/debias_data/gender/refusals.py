"""Texts that have no counterpart: predicates bound to one sex, and real persons."""

from __future__ import annotations

import re
from functools import cache

from debias_data.gender.lexicon import read_table
from debias_data.gender.tokens import Document
from debias_data.gender.words import word_set

_SEX_BOUND = re.compile(
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


# The first five letters of one word of every expression above: most texts have none of them.
_SEX_BOUND_STEMS = word_set(
    "impre pregn breas lacta birth child labor labou misca abort c-sec caesa cesar menst menop "
    "ovary ovari ovula uteru uteri womb cervi vagin hyste maste gynae gynec obste mammo endom "
    "pap prost testi testo sperm semen scrot penis penil vasec erect ejacu circu fores beard "
    "musta moust wet surro mater pater tampo sanit viril emasc castr trime midwi expec nursi"
)


def is_suspect(lower: str) -> bool:
    """Whether a word in lower case may be part of what the two functions below look for."""
    return lower[:5] in _SEX_BOUND_STEMS or lower in _last_names()


def sex_bound(document: Document) -> str | None:
    """The first predicate in the text that goes with one sex, or None."""
    if _SEX_BOUND_STEMS.isdisjoint([word[:5] for word in document.lowers]):
        return None
    match = _SEX_BOUND.search(document.text)
    return match[1] if match else None


@cache
def _person_pattern() -> re.Pattern[str]:
    full: list[str] = []
    single: list[str] = []
    for row in read_table("persons.tsv"):
        (full if " " in row["name"] else single).append(re.escape(row["name"]))
    # A surname alone is a person only as a subject or object, not in `Newton's method`.
    alone = "|".join(single)
    return re.compile(
        rf"\b(?:({'|'.join(full)})|({alone})(?!\w|['’]s?\s|-|\s+(?:[Mm]ethod|[Tt]heorem|[Ff]ormula|"
        r"[Ee]quation|[Cc]onstant|[Nn]umber|[Ss]eries|[Dd]istribution|[Ff]unction|[Ii]dentity|"
        r"[A-Z]\w+)))"
    )


@cache
def _last_names() -> frozenset[str]:
    names = [row["name"].split()[-1].lower() for row in read_table("persons.tsv")]
    return frozenset(names + [f"{name}'s" for name in names])


def real_person(document: Document) -> str | None:
    """The first real person named in the text, or None."""
    if _last_names().isdisjoint(document.lowers):
        return None
    match = _person_pattern().search(document.text)
    return (match[1] or match[2]) if match else None
