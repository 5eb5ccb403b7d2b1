"""Whether `his` is her or hers: it stands alone when no noun phrase follows."""

from __future__ import annotations

from typing import Final

from debias_data.gender.phrases import FUNCTION_WORDS, ends_here, is_number
from debias_data.gender.tokens import PROTECTED, Document
from debias_data.gender.words import (
    ADVERBS,
    BASE_VERBS,
    BE,
    CONJUNCTIONS,
    DETERMINERS,
    MODALS,
    PREPOSITIONS,
    PRONOUNS,
    SUBJECT_VERBS,
    word_set,
)

_OWNERS: Final = word_set("mine yours hers ours theirs")
_PAST_LIKE_BASE: Final = word_set("cost cut hit hurt put set beat let read shut quit")
_BEFORE_NOUNS: Final = word_set(
    "own very only other all every many few several both half no like past inside outside down off "
    "much such"
)
_FINITE_AUXILIARIES: Final = word_set("is was are were has had does did would could should")
_OWNED: Final = word_set("after before over under about then once so up") | (
    ADVERBS - {"too", "also", "instead", "alone"}
)
_AFTER_PHRASE: Final = (
    DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | {"too", "also", "instead"}
)


def his_stands_alone(document: Document, index: int) -> tuple[bool, float]:  # noqa: C901, PLR0911 - one return a rule
    """Whether the `his` at `index` stands alone, and how sure that is, in 0..1."""
    gap = document.gap_after(index).strip()
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    if ends_here(document, index):
        return True, 0.98
    if PROTECTED in gap or gap[:1] in {"(", '"', "“", "'", "‘", "$", "£", "€"}:
        return False, 0.9
    if gap.startswith("/"):
        return after in {"hers", "theirs", "mine"}, 0.8
    if before == "of" and _is_double_genitive(document, index):
        # `a friend of his scored`, `a friend of his is`: no noun that `his` could own.
        verb = after in SUBJECT_VERBS or (
            after in _PAST_LIKE_BASE and _takes_object(document, index + 1)
        )
        if verb or after in FUNCTION_WORDS or after.endswith("ly"):
            return True, 0.85
        return False, 0.8
    if (after == "alone" and ends_here(document, index + 1)) or (
        then in _OWNERS and after.endswith("s")
    ):
        return True, 0.85  # the choice is his alone; if his equals mine
    if after in {"and", "or"}:
        if before in BE or before in {"than", "as"}:
            return True, 0.85
        return then in {"hers", "mine", "yours", "theirs"}, 0.8
    if after in MODALS:
        return then in BASE_VERBS or then == "not", 0.8
    if after in _BEFORE_NOUNS:
        return False, 0.9
    if after in _FINITE_AUXILIARIES:
        return True, 0.95
    if after in _OWNED:
        return False, 0.8
    if after in _AFTER_PHRASE:
        return True, 0.8
    return False, 0.97


def _takes_object(document: Document, index: int) -> bool:
    """Whether an amount or a noun phrase follows the word at `index`: `cost $40`, `hit a wall`."""
    gap, after = document.gap_after(index).strip(), document.lower(index + 1)
    return gap in {"$", "£", "€"} or after in DETERMINERS or is_number(document, index + 1)


def _is_double_genitive(document: Document, index: int) -> bool:
    return any(
        document.lower(index - offset)
        in {
            "a",
            "an",
            "some",
            "any",
            "another",
            "one",
            "two",
            "three",
            "four",
            "five",
            "no",
            "that",
            "this",
            "those",
            "these",
            "many",
            "several",
            "which",
            "every",
        }
        for offset in (3, 4)
    )
