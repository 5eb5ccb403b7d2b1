"""Whether `her` is him or his: an object, or what owns the noun after it.

`her` is an object when nothing that it could own follows; before a noun phrase it owns it, unless
the verb before it hands something to somebody (`gave her flowers`) or a clause follows (`saw her
cross the bridge`).
"""

from __future__ import annotations

from typing import Final

from debias_data.gender.her_named import names_her
from debias_data.gender.her_numbers import before_number, before_quantity
from debias_data.gender.phrases import (
    AFTER_OBJECT,
    FUNCTION_WORDS,
    ends_here,
    is_number,
    subject_is_she,
)
from debias_data.gender.tokens import PROTECTED, Document
from debias_data.gender.words import (
    ADJECTIVES,
    BASE_VERBS,
    DETERMINERS,
    DITRANSITIVE,
    DUES,
    GIVING,
    MASS,
    MOTION,
    NOUN_VERBS,
    PARTICIPLE,
    PEOPLE,
    PREPOSITIONS,
    PRONOUNS,
    SMALL_CLAUSE,
    TIME_UNITS,
    WITH_ADJECTIVE,
    word_set,
)

_BEFORE_SUPERLATIVE: Final = PREPOSITIONS | {"did", "does", "do", "try", "tried"}
_GIVING_BACK: Final = DITRANSITIVE | MOTION | {"call", "called", "calls", "want", "wanted", "hit"}


def her_is_object(document: Document, index: int) -> tuple[bool, float]:  # noqa: PLR0911 - one return a rule
    """Whether the `her` at `index` is an object, and how sure that is, in 0..1."""
    gap = document.gap_after(index).strip()
    after, before = document.lower(index + 1), document.lower(index - 1)
    if ends_here(document, index):
        return True, 0.99
    if document.gap_before(index).strip() == "/" and before == "she":
        return True, 0.95  # she/her, he/him
    if gap.startswith("/") and after == "hers":
        return False, 0.9
    if gap.startswith("("):
        return not _opens_noun_phrase(document, index), 0.6
    if PROTECTED in gap:
        return before in DITRANSITIVE, 0.8
    if gap in {'"', "“", "'", "‘"}:
        return before in GIVING and after in DETERMINERS, 0.8
    for rule in _RULES:
        decided = rule(document, index)
        if decided is not None:
            return decided
    return False, 0.95 if before not in DITRANSITIVE else 0.85


def _opens_noun_phrase(document: Document, index: int) -> bool:
    """Whether words follow a bracket after the word at `index`: `her (younger) brother`."""
    position = index + 1
    while position < len(document.words) and ")" not in document.gap_after(position):
        position += 1
    closing = document.gap_after(position).strip() if position < len(document.words) else ""
    return closing == ")" and document.lower(position + 1) not in FUNCTION_WORDS


def _her_function_word(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: C901, PLR0911 - one return a rule
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    if after in {"own", "very", "only", "other", "same", "every", "first", "last", "next"}:
        if after == "very" and then in {"much", "well", "often"}:
            return True, 0.9
        if after == "every":
            return before in GIVING or then in TIME_UNITS or then in {"time", "single"}, 0.85
        return False, 0.95
    if after in {"half", "double", "many", "few", "several", "extra", "additional"}:
        return before_quantity(document, index)
    if after == "happy" and then in {"birthday", "anniversary", "new"}:
        return before not in PREPOSITIONS, 0.9
    if after in {"all", "no"}:
        return not (after == "all" and ends_here(document, index + 1)), 0.9
    if after in {"more", "most", "less", "better", "best", "least", "further", "faster", "longer"}:
        alone = ends_here(document, index + 1) or then in AFTER_OBJECT
        if after in {"more", "less"} and not subject_is_she(document, index):
            alone = alone or before in GIVING or before in _MAKING
        if after in {"most", "best"} and before in _BEFORE_SUPERLATIVE:
            alone = False
        return alone, 0.85
    if after in {"after", "before", "over", "under", "past"} and then in {"tax", "school", "life"}:
        return False, 0.8
    if after == "like" and then == "s":
        return False, 0.6
    if after in AFTER_OBJECT:
        return True, 0.97
    return None


def _her_special(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """Words that are a noun after `her` in one place and an adverb in another."""
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    ends = ends_here(document, index + 1)
    if after == "home":
        moved = before in MOTION and not subject_is_she(document, index)
        return moved, 0.9 if moved or before not in DITRANSITIVE else 0.8
    if after == "back":
        verb = before in _GIVING_BACK
        verb = verb or (
            before.endswith("ed")
            and before not in {"turned", "hurt", "injured", "scratched", "massaged", "patted"}
        )
        verb = verb and (
            ends or then in AFTER_OBJECT or then == "every" or is_number(document, index + 2)
        )
        return verb and not subject_is_she(document, index), 0.85
    if after in {"right", "left", "well", "past", "inside", "outside", "off"}:
        if after in {"inside", "outside"} and ends and before not in PREPOSITIONS:
            return True, 0.8
        if after == "well" or (then in AFTER_OBJECT and before not in PREPOSITIONS):
            return before not in {"of", "from", "in"}, 0.8
        return False, 0.85
    if after in {"daily", "weekly", "monthly", "yearly", "annually", "everyday"}:
        return ends or then in AFTER_OBJECT, 0.9
    if after in {
        "alone",
        "awake",
        "asleep",
        "alive",
        "aside",
        "apart",
        "forward",
        "upstairs",
        "downstairs",
        "outdoors",
        "indoors",
        "overnight",
        "abroad",
        "anyway",
        "forever",
        "twice",
        "everywhere",
        "please",
    }:
        return True, 0.95
    return None


def _her_clause(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """`saw her cross`, `had her arrested`, `made her happy`, `loved her deeply`."""
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    follows = (
        ends_here(document, index + 1) or then in AFTER_OBJECT or is_number(document, index + 2)
    )
    if after.endswith("ly") and after not in _LY_ADJECTIVES:
        return (True, 0.9) if follows else (False, 0.85)
    if before in PREPOSITIONS and _is_finite(document, index + 1):
        return True, 0.8
    if before in PREPOSITIONS or subject_is_she(document, index):
        return None
    if before in SMALL_CLAUSE and after in BASE_VERBS:
        if after not in NOUN_VERBS:
            return True, 0.95
        if follows and not ends_here(document, index + 1):
            return then not in {"is", "was", "and", "in", "of", "with", "for"}, 0.85
        helping = before.startswith(("help", "let", "made", "make")) or after in _ACTIONS
        return helping and ends_here(document, index + 1), 0.7
    if before in PARTICIPLE and after.endswith("ing") and len(after) > 4 and after not in MASS:
        return (True, 0.85) if follows or then in PRONOUNS else (before in _PERCEIVING, 0.7)
    participle = (
        after.endswith("ed") and after not in _NOT_PARTICIPLES
    ) or after in _PARTICIPLES_EN
    if before in _CAUSING and participle and follows:
        return True, 0.8
    if before in _TREATING and follows:
        return after in ADJECTIVES or after in {
            "bad",
            "good",
            "nice",
            "badly",
            "right",
            "wrong",
        }, 0.8
    compared = after in _COMPARATIVES or after.endswith("ier")
    if before in WITH_ADJECTIVE and (after in ADJECTIVES or (compared and follows)):
        return (True, 0.9) if follows else (False, 0.8)
    return None


_TREATING: Final = frozenset(["treat", "treats", "treated", "treating"])


_FINITE: Final = word_set(
    "sat ate went came ran gave got made took said knew stood wants agreed decided started "
    "began puts gets gives takes has had is was bought sold paid won lost spent drank wrote"
)


def _is_finite(document: Document, index: int) -> bool:
    """Whether the word at `index` is the verb of the sentence, after `the man behind her …`."""
    word, then = document.lower(index), document.lower(index + 1)
    goes_on = then in DETERMINERS or then in PREPOSITIONS or is_number(document, index + 1)
    return (
        goes_on and (word in _FINITE or (word.endswith("ed") and word not in _NOT_PARTICIPLES))
    ) or (word == "read" and is_number(document, index + 1))


_MAKING: Final = word_set("make makes made making earn earns earned get gets got find finds found")


_COMPARATIVES: Final = word_set(
    "better older younger taller shorter stronger faster slower smarter richer poorer sicker "
    "warmer colder thinner fatter weaker worse"
)


_NOT_PARTICIPLES: Final = word_set(
    "speed feed seed need bed weed reed breed deed steed shed sled hundred"
)


_PARTICIPLES_EN: Final = word_set(
    "taken given beaten eaten written driven chosen broken stolen bitten hidden frozen shaken"
)


_PERCEIVING: Final = word_set(
    "see sees saw seen seeing hear hears heard hearing watch watches watched watching notice "
    "notices noticed observe observed catch catches caught find finds found keep keeps kept "
    "leave leaves left spot spotted imagine imagines imagined picture pictured"
)


_ACTIONS: Final = word_set("run play dance cry laugh sleep smile walk jump talk move climb fight")


_LY_ADJECTIVES: Final = word_set(
    "only family daily weekly monthly yearly early lovely friendly elderly curly ugly silly "
    "jelly lonely supply reply belly bully ally fly butterfly assembly likely holy italy july"
)


_CAUSING: Final = word_set(
    "had has have having get gets got getting want wants wanted saw see seen found find keep "
    "kept left leave leaves leaving order ordered need needs needed"
)


def _her_recipient(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """`gave her flowers` but `gave her mother flowers` and `gave her book to Tom`."""
    before = document.lower(index - 1)
    asking = before.startswith("ask")
    if not (asking or before in GIVING or before in _WISHING) or subject_is_she(document, index):
        return None
    if before in _WISHING:
        return True, 0.9
    position = index + 1
    while (
        document.lower(position + 1)
        and not ends_here(document, position)
        and document.lower(position + 1) not in AFTER_OBJECT
        and not is_number(document, position + 1)
        and "$" not in document.gap_after(position)
        and position < index + 4
    ):
        position += 1
    head, following = document.lower(position), document.lower(position + 1)
    if (
        head in PEOPLE
        or head in DUES
        or "'s" in head
        or (position > index + 1 and document.lower(index + 1) in PEOPLE)
    ):
        return False, 0.85
    another = following in DETERMINERS or is_number(document, position + 1)
    if another or "$" in document.gap_after(position) or following == "to":
        return False, 0.85
    if asking:
        return head in {"questions", "question"}, 0.85
    plural = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    if plural or head in MASS:
        return True, 0.75
    return False, 0.85


_WISHING: Final = frozenset(["wish", "wishes", "wished", "wishing"])


# In the order in which they are asked.
_RULES: Final = (
    before_number,
    names_her,
    _her_special,
    _her_function_word,
    _her_clause,
    _her_recipient,
)
