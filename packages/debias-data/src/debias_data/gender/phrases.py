"""Where the phrase around a pronoun ends, and what its words are: what both choices ask."""

from __future__ import annotations

from typing import Final

from debias_data.gender.tokens import PROTECTED, Document
from debias_data.gender.words import (
    ADVERBS,
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    NUMBER_WORDS,
    PREPOSITIONS,
    PRONOUNS,
    word_set,
)

FUNCTION_WORDS: Final = DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | PRONOUNS | ADVERBS


_CLOSING: Final = frozenset(".,;:!?)]}\n—–…")


def ends_here(document: Document, index: int) -> bool:
    """Whether the phrase ends after the word at `index`."""
    gap = document.gap_after(index)
    stripped = gap.strip(" \t\r")
    if not document.lower(index + 1):
        return PROTECTED not in gap
    return (stripped[:1] in _CLOSING and stripped != "") or stripped[:2] in {'".', '",', "”."}


def is_number(document: Document, index: int) -> bool:
    """Whether the word at `index` is a number, in digits or in letters."""
    word = document.lower(index)
    return word[:1].isdigit() or word in NUMBER_WORDS or word.split("-")[0] in NUMBER_WORDS


def subject_is_she(document: Document, index: int) -> bool:
    """Whether the verb before `index` has `she` as its subject: an object would be `herself`."""
    position = index - 1
    for _ in range(3):
        position -= 1
        word = document.lower(position)
        if word.split("'")[0] == "she":
            return True
        if not (word in AUXILIARIES or word in ADVERBS or word.endswith("ly") or word == "to"):
            return False
    return False


AFTER_OBJECT: Final = word_set(
    "a an the this these those some any another each what how why where when if whether who "
    "whom because while as than to for from in on at by with about of into onto over since "
    "during through against around away again too also instead anymore there here today "
    "tomorrow yesterday tonight now then later soon once so and or but nor is was were has had "
    "would could might must should did does not never always it him his her their my your our "
    "its them they he she we you i that which both enough up down off out across along toward "
    "towards upon without within until till unless although though yet either beside besides "
    "near past after before under behind between sometimes often together afterwards afterward "
    "everyday anyways anywhere rather very again altogether everything something anything "
    "nothing until there's he's she's it's he'd she'd someone somebody whenever wherever "
    "regarding via despite per like such exactly much just only-if are am be been do don't "
    "didn't wasn't isn't wouldn't couldn't"
)
