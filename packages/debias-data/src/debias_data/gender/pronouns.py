"""`her` is him or his, `his` is her or hers: the choice by context, with how sure it is.

`her` is an object when nothing that it could own follows; before a noun phrase it owns it, unless
the verb before it hands something to somebody (`gave her 12 pencils`) or a clause follows (`saw
her cross the bridge`). `his` stands alone when no noun phrase follows.
"""

from __future__ import annotations

from typing import NamedTuple

from debias_data.gender.tokens import PROTECTED, Document
from debias_data.gender.words import (
    ADJECTIVES,
    ADVERBS,
    AUXILIARIES,
    BASE_VERBS,
    BE,
    CONJUNCTIONS,
    DETERMINERS,
    DITRANSITIVE,
    DUES,
    GIVING,
    MASS,
    MODALS,
    MOTION,
    NOUN_VERBS,
    NUMBER_WORDS,
    PARTICIPLE,
    PEOPLE,
    PREPOSITIONS,
    PRONOUNS,
    SMALL_CLAUSE,
    SUBJECT_VERBS,
    TIME_UNITS,
    WITH_ADJECTIVE,
    word_set,
)


class Choice(NamedTuple):
    """A form and how sure it is, in 0..1."""

    form: str
    confidence: float


_FUNCTION = DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | PRONOUNS | ADVERBS
_CLOSING = frozenset(".,;:!?)]}\n—–…")


def choose(document: Document, index: int, form: str) -> Choice:
    """The counterpart of `her` or `his` at `index`.

    Raises:
        ValueError: `form` is another word.
    """
    if form == "her":
        is_object, confidence = _her_is_object(document, index)
        return Choice("him" if is_object else "his", confidence)
    if form == "his":
        stands_alone, confidence = _his_stands_alone(document, index)
        return Choice("hers" if stands_alone else "her", confidence)
    raise ValueError(f"{form!r} has one counterpart only")


def _ends_here(document: Document, index: int) -> bool:
    """Whether the phrase ends after the word at `index`."""
    gap = document.gap_after(index)
    stripped = gap.strip(" \t\r")
    if not document.lower(index + 1):
        return PROTECTED not in gap
    return (stripped[:1] in _CLOSING and stripped != "") or stripped[:2] in {'".', '",', "”."}


def _her_is_object(document: Document, index: int) -> tuple[bool, float]:  # noqa: PLR0911 - one return a rule
    gap = document.gap_after(index).strip()
    after, before = document.lower(index + 1), document.lower(index - 1)
    if _ends_here(document, index):
        return True, 0.99
    if document.gaps[index].strip() == "/" and before == "she":
        return True, 0.95  # she/her, he/him
    if gap.startswith("/") and after == "hers":
        return False, 0.9
    if gap.startswith("("):
        return not _opens_noun_phrase(document, index), 0.6
    if PROTECTED in gap:
        return before in DITRANSITIVE, 0.8
    if gap in {'"', "“", "'", "‘"}:
        return before in GIVING and after in DETERMINERS, 0.8
    for rule in (_her_number, _her_special, _her_function_word, _her_clause, _her_recipient):
        decided = rule(document, index)
        if decided is not None:
            return decided
    return False, 0.95 if before not in DITRANSITIVE else 0.85


def _opens_noun_phrase(document: Document, index: int) -> bool:
    """Whether words follow a bracket after the word at `index`: `her (younger) brother`."""
    position = index + 1
    while position < len(document.words) and ")" not in document.gaps[position + 1]:
        position += 1
    closing = document.gaps[position + 1].strip() if position < len(document.words) else ""
    return closing == ")" and document.lower(position + 1) not in _FUNCTION


def _is_number(document: Document, index: int) -> bool:
    word = document.lower(index)
    return word[:1].isdigit() or word in NUMBER_WORDS or word.split("-")[0] in NUMBER_WORDS


def _subject_is_she(document: Document, index: int) -> bool:
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


def _her_number(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """`gave her 12 pencils` but `counted her 12 pencils`."""
    if not (
        _is_number(document, index + 1) or document.gap_after(index).strip() in {"$", "£", "€"}
    ):
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
        not _subject_is_she(document, index) or _is_price(document, index + 1)
    ):
        return True, 0.9 if before in GIVING else 0.8
    if before == "of" and document.lower(index - 2) in {"cost", "costs"}:
        return True, 0.6
    return False, 0.9


def _is_timed(document: Document, index: int, unit: str) -> bool:
    """Whether `took her 3 …` tells how long something took her."""
    if unit in TIME_UNITS:
        return not _subject_is_she(document, index)
    impersonal = {document.lower(index - offset) for offset in (2, 3, 4)}
    return bool(impersonal & {"it", "that", "this", "which"})


_TIMED = word_set("take takes took taken taking last lasts lasted lasting")


def _is_price(document: Document, index: int) -> bool:
    """Whether an amount of money at `index` is paid, `$5 for …`, and not a thing, `$5 bill`."""
    return "$" in document.gaps[index] and (
        _ends_here(document, index)
        or document.lower(index + 1) in {"for", "per", "a", "an", "each", "every", "to", "as", "if"}
    )


def _after_number(document: Document, index: int) -> str:
    """The noun that the number at `index` counts, one adjective over."""
    position = index
    while _is_number(document, position) and position < index + 4:
        position += 1
    noun, then = document.lower(position), document.lower(position + 1)
    return then if noun not in TIME_UNITS and then in PEOPLE else noun


_AFTER_OBJECT = word_set(
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
        return _her_quantity(document, index)
    if after == "happy" and then in {"birthday", "anniversary", "new"}:
        return before not in PREPOSITIONS, 0.9
    if after in {"all", "no"}:
        return not (after == "all" and _ends_here(document, index + 1)), 0.9
    if after in {"more", "most", "less", "better", "best", "least", "further", "faster", "longer"}:
        alone = _ends_here(document, index + 1) or then in _AFTER_OBJECT
        if after in {"more", "less"} and not _subject_is_she(document, index):
            alone = alone or before in GIVING or before in _MAKING
        if after in {"most", "best"} and before in PREPOSITIONS | {
            "did",
            "does",
            "do",
            "try",
            "tried",
        }:
            alone = False
        return alone, 0.85
    if after in {"after", "before", "over", "under", "past"} and then in {"tax", "school", "life"}:
        return False, 0.8
    if after == "like" and then == "s":
        return False, 0.6
    if after in _AFTER_OBJECT:
        return True, 0.97
    return None


def _her_quantity(document: Document, index: int) -> tuple[bool, float]:
    """`gave her half the sales`, `asked her many questions`; but `her half of the cake`."""
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    if after == "double" or (after == "half" and then in {"a", "an", "the"}):
        return then in DETERMINERS, 0.85
    if after == "half" and then == "of":
        return before in GIVING, 0.7
    return before in DITRANSITIVE and not _subject_is_she(document, index), 0.8


def _her_special(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """Words that are a noun after `her` in one place and an adverb in another."""
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    ends = _ends_here(document, index + 1)
    if after == "home":
        moved = before in MOTION and not _subject_is_she(document, index)
        return moved, 0.9 if moved or before not in DITRANSITIVE else 0.8
    if after == "back":
        verb = before in DITRANSITIVE | MOTION | {
            "call",
            "called",
            "calls",
            "want",
            "wanted",
            "hit",
        }
        verb = verb or (
            before.endswith("ed")
            and before not in {"turned", "hurt", "injured", "scratched", "massaged", "patted"}
        )
        verb = verb and (
            ends or then in _AFTER_OBJECT or then == "every" or _is_number(document, index + 2)
        )
        return verb and not _subject_is_she(document, index), 0.85
    if after in {"right", "left", "well", "past", "inside", "outside", "off"}:
        if after == "well" or (then in _AFTER_OBJECT and before not in PREPOSITIONS):
            return before not in {"of", "from", "in"}, 0.8
        return False, 0.85
    if after in {"daily", "weekly", "monthly", "yearly", "annually", "everyday"}:
        return ends or then in _AFTER_OBJECT, 0.9
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
        _ends_here(document, index + 1) or then in _AFTER_OBJECT or _is_number(document, index + 2)
    )
    if after.endswith("ly") and after not in _LY_ADJECTIVES:
        return (True, 0.9) if follows else (False, 0.85)
    if before in PREPOSITIONS and _is_finite(document, index + 1):
        return True, 0.8
    if before in PREPOSITIONS or _subject_is_she(document, index):
        return None
    if before in SMALL_CLAUSE and after in BASE_VERBS:
        if after not in NOUN_VERBS:
            return True, 0.95
        if follows and not _ends_here(document, index + 1):
            return then not in {"is", "was", "and", "in", "of", "with", "for"}, 0.85
        helping = before.startswith(("help", "let", "made", "make")) or after in _ACTIONS
        return helping and _ends_here(document, index + 1), 0.7
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


_TREATING = frozenset(["treat", "treats", "treated", "treating"])
_FINITE = word_set(
    "sat ate went came ran gave got made took said knew stood wants agreed decided started "
    "began puts gets gives takes has had is was bought sold paid won lost spent drank wrote"
)


def _is_finite(document: Document, index: int) -> bool:
    """Whether the word at `index` is the verb of the sentence, after `the man behind her …`."""
    word, then = document.lower(index), document.lower(index + 1)
    goes_on = then in DETERMINERS or then in PREPOSITIONS or _is_number(document, index + 1)
    return (
        goes_on and (word in _FINITE or (word.endswith("ed") and word not in _NOT_PARTICIPLES))
    ) or (word == "read" and _is_number(document, index + 1))


_MAKING = word_set("make makes made making earn earns earned get gets got find finds found")
_COMPARATIVES = word_set(
    "better older younger taller shorter stronger faster slower smarter richer poorer sicker "
    "warmer colder thinner fatter weaker worse"
)
_NOT_PARTICIPLES = word_set("speed feed seed need bed weed reed breed deed steed shed sled hundred")
_PARTICIPLES_EN = word_set(
    "taken given beaten eaten written driven chosen broken stolen bitten hidden frozen shaken"
)
_PERCEIVING = word_set(
    "see sees saw seen seeing hear hears heard hearing watch watches watched watching notice "
    "notices noticed observe observed catch catches caught find finds found keep keeps kept "
    "leave leaves left spot spotted imagine imagines imagined picture pictured"
)
_ACTIONS = word_set("run play dance cry laugh sleep smile walk jump talk move climb fight")

_LY_ADJECTIVES = word_set(
    "only family daily weekly monthly yearly early lovely friendly elderly curly ugly silly "
    "jelly lonely supply reply belly bully ally fly butterfly assembly likely holy italy july"
)
_CAUSING = word_set(
    "had has have having get gets got getting want wants wanted saw see seen found find keep "
    "kept left leave leaves leaving order ordered need needs needed"
)


def _her_recipient(document: Document, index: int) -> tuple[bool, float] | None:  # noqa: PLR0911 - one return a rule
    """`gave her flowers` but `gave her mother flowers` and `gave her book to Tom`."""
    before = document.lower(index - 1)
    asking = before.startswith("ask")
    if not (asking or before in GIVING or before in _WISHING) or _subject_is_she(document, index):
        return None
    if before in _WISHING:
        return True, 0.9
    position = index + 1
    while (
        document.lower(position + 1)
        and not _ends_here(document, position)
        and document.lower(position + 1) not in _AFTER_OBJECT
        and not _is_number(document, position + 1)
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
    another = following in DETERMINERS or _is_number(document, position + 1)
    if another or "$" in document.gap_after(position) or following == "to":
        return False, 0.85
    if asking:
        return head in {"questions", "question"}, 0.85
    plural = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    if plural or head in MASS:
        return True, 0.75
    return False, 0.85


_WISHING = frozenset(["wish", "wishes", "wished", "wishing"])
_OWNED_AFTER_FUNCTION = word_set("after before over under about then once so up")


def _his_stands_alone(document: Document, index: int) -> tuple[bool, float]:  # noqa: C901, PLR0911 - one return a rule
    gap = document.gap_after(index).strip()
    after, then = document.lower(index + 1), document.lower(index + 2)
    before = document.lower(index - 1)
    if _ends_here(document, index):
        return True, 0.98
    if PROTECTED in gap or gap[:1] in {"(", '"', "“", "'", "‘", "$", "£", "€"}:
        return False, 0.9
    if gap.startswith("/"):
        return after in {"hers", "theirs", "mine"}, 0.8
    if before == "of" and _is_double_genitive(document, index):
        # `a friend of his scored`, `a friend of his is`: no noun that `his` could own.
        if after in SUBJECT_VERBS or after in _FUNCTION or after.endswith("ly"):
            return True, 0.85
        return False, 0.8
    if after in {"and", "or"}:
        if before in BE or before in {"than", "as"}:
            return True, 0.85
        return then in {"hers", "mine", "yours", "theirs"}, 0.8
    if after in MODALS:
        return then in BASE_VERBS or then == "not", 0.8
    if after in {
        "own",
        "very",
        "only",
        "other",
        "all",
        "every",
        "many",
        "few",
        "several",
        "both",
        "half",
        "no",
        "like",
        "past",
        "inside",
        "outside",
        "down",
        "off",
        "much",
        "such",
    }:
        return False, 0.9
    if after in {
        "is",
        "was",
        "are",
        "were",
        "has",
        "had",
        "does",
        "did",
        "would",
        "could",
        "should",
    }:
        return True, 0.95
    if after in _OWNED_AFTER_FUNCTION or after in ADVERBS - {"too", "also", "instead", "alone"}:
        return False, 0.8
    if after in DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | {"too", "also", "instead"}:
        return True, 0.8
    return False, 0.97


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
