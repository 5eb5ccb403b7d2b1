"""Names that are words for things without an article: `Hope is not a plan`, `Patience is a virtue`.

At the start of a sentence such a word looks like a name that is the subject. What it is said to be
tells: `Hope is a nurse`, `Hope is 12` and `Hope is the oldest` speak of a person.
"""

from __future__ import annotations

from typing import Final

from debias_data.gender.lexicon import lexicon
from debias_data.gender.tokens import Document
from debias_data.gender.words import DETERMINERS, PREPOSITIONS, word_set

_WITHOUT_ARTICLE: Final = word_set(
    "hope faith grace joy harmony charity mercy patience art amber jade ivy pearl heather holly "
    "rosemary basil ginger myrtle brandy sherry candy violet dawn summer autumn"
)
_IS: Final = word_set("is was isn't wasn't remains becomes")
_BETWEEN: Final = word_set("not never always only also just still often really simply")
_DEFINING: Final = DETERMINERS | word_set("how where when why")
_OF_PERSONS: Final = word_set("she he her his him hers herself himself")
# The ends of most words for what persons are or do, of comparatives and superlatives.
_PERSONAL_ENDS: Final = (
    "er",
    "or",
    "est",
    "ist",
    "ian",
    "eer",
    "ant",
    "ent",
    "ete",
    "ee",
    "ess",
    "mate",
)
_PERSONS: Final = word_set(
    "nurse chef cook clerk child kid teen twin friend fan guest coach captain pilot judge vet "
    "athlete freshman sophomore graduate adult scout genius expert spy guide bit year one only "
    "first last middle pro rookie native tourist vegan person people patient pupil boss scholar"
)
_LONGEST_PHRASE: Final = 4


def is_said_to_be_a_thing(document: Document, index: int) -> bool:
    """Whether the word at `index`, spelt like a name, is said to be something that is nobody."""
    if document.lower(index) not in _WITHOUT_ARTICLE or document.lower(index + 1) not in _IS:
        return False
    position = index + 2
    while document.lower(position) in _BETWEEN:
        position += 1
    if document.lower(position) not in _DEFINING:
        return False
    if any(document.lower(i) in _OF_PERSONS for i in range(len(document.words))):
        return False
    for ahead in range(position + 1, position + 1 + _LONGEST_PHRASE):
        word = document.lower(ahead)
        if not word or document.gap_before(ahead).strip() or word in PREPOSITIONS:
            break
        if _is_of_a_person(word):
            return False
    return True


def _is_of_a_person(word: str) -> bool:
    return word.endswith(_PERSONAL_ENDS) or word in _PERSONS or word in lexicon()
