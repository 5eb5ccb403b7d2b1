"""Given names: which gender they mark, when a word is one, and which name stands for which."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Final

from debias_data.gender.generic import is_said_to_be_a_thing
from debias_data.gender.lexicon import read_table
from debias_data.gender.tokens import Document
from debias_data.gender.types import Gender
from debias_data.gender.words import DETERMINERS, PREPOSITIONS, PRONOUNS, SUBJECT_VERBS, word_set


@dataclass(frozen=True, slots=True)
class NameEntry:
    """A given name as it is written, its gender and its counterpart."""

    name: str
    gender: Gender
    opposite: str
    is_word: bool


@cache
def name_table() -> dict[str, NameEntry]:
    """The built-in table: a bijection between male and female names."""
    table: dict[str, NameEntry] = {}
    for row in read_table("names.tsv"):
        word = row["kind"] == "word"
        table[row["male"]] = NameEntry(row["male"], "male", row["female"], word)
        table[row["female"]] = NameEntry(row["female"], "female", row["male"], word)
    return table


@cache
def ranked_names(gender: Gender) -> tuple[str, ...]:
    """The built-in names of a gender, the most common ones first."""
    return tuple(entry.name for entry in name_table().values() if entry.gender == gender)


def split_possessive(word: str) -> tuple[str, str]:
    """`John's` → `("John", "'s")`; a word without it keeps an empty second part."""
    if len(word) > 2 and word[-2] in "'’" and word[-1] in "sS":
        return word[:-2], word[-2:]
    return word, ""


def lookup_form(word: str) -> str:
    """The form under which a written name stands in a table: `JOHN` → `John`, composed letters."""
    if not word.isascii():
        word = unicodedata.normalize("NFC", word)
    return word.capitalize() if len(word) > 1 and word.isupper() else word


MONTHS: Final = {"April", "May", "June", "August"}
_BEFORE_MONTH: Final = word_set(
    "in on by last next since until till of this early late mid during from through to between "
    "and every each before after for than"
)
_BEFORE_MONTH_ALONE: Final = _BEFORE_MONTH - word_set("by from to between and than for with")
_TITLES: Final = word_set("mr mrs ms miss dr prof professor mister sir madam dame lord lady")
_SURNAME_TITLES: Final = word_set(
    "mr mrs ms miss mister dr doctor prof professor president senator judge justice governor "
    "mayor general colonel major lieutenant sergeant detective officer congressman "
    "congresswoman chancellor secretary principal inspector"
)
_PLACE_BEFORE: Final = word_set(
    "st saint mount mt lake fort ft port san santa cape camp point new north south east west "
    "university hotel hurricane cyclone storm"
)
_PLACE_AFTER: Final = word_set(
    "street st avenue ave road rd river lake island islands county city park falls beach bridge "
    "boulevard blvd drive lane hill hills valley creek mountain bay harbor harbour high school "
    "university college hospital elementary inc corp company ltd llc hotel theorem law stadium "
    "hall museum library airport station state"
)
_NOT_GIVEN: Final = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december mr mrs ms dr english math science if "
    "when while since because after before although though then so and but or suppose let "
    "assume given yesterday today tomorrow finally later meanwhile however also once now next "
    "first second third last each every both how what where who why which there here that this "
    "these those the a an in on at for from to with by as is was were are does did do has have "
    "had will would can could should may might must i he she they we you it his her their my "
    "our your its grandpa grandma uncle aunt cousin brother sister mother father mom dad son "
    "daughter friend friends captain coach chef nurse farmer baker king queen prince princess "
    "santa baby little big old young poor only even than not between among help thank dear hi "
    "hello hey yes no well ok okay find calculate determine compute prove show explain solve of "
    "about like during until unless saint pastor pirate reverend rabbi agent sheriff elder "
    "deacon wizard knight explorer pilot driver teacher principal farmer builder carpenter "
    "painter writer artist singer dancer dark answer question problem note solution step let's "
    "says said asked told black white red blue green purple orange therefore thus hence "
    "initially altogether together overall"
)


def is_alone(document: Document, index: int) -> bool:
    """Whether no neighbour can make the name at `index` part of a place or a surname.

    What is asked about places, titles and surnames wants a capital letter next to the name.
    """
    words = document.words
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    return not (before[:1].isupper() or after[:1].isupper() or before == "president")


def is_name_again(document: Document, index: int, accepted: frozenset[int]) -> bool:
    """Whether a word spelt like a name that the text has shown is that name here too.

    `Pastor Paul` after `Paul prays`; not the surname in `Mary Paul`.

    Args:
        document: the text.
        index: of the word.
        accepted: the indices of the words that were taken for names.
    """
    adjacent = index - 1 in accepted and not document.gap_before(index).strip()
    return not adjacent and not _is_part_of_place(document, index)


def is_name(document: Document, index: int, *, is_word: bool, known: Set[str]) -> bool:  # noqa: PLR0911 - one return a rule
    """Whether the capitalised word at `index`, spelt like a given name, is one here.

    Args:
        document: the text.
        index: of the word.
        is_word: the spelling is an ordinary word too, so position has to show it.
        known: names (as `lookup_form`) that other places of the text have shown to be names.
    """
    if _is_part_of_place(document, index) or _is_surname(document, index):
        return False
    word = document.words[index]
    base, possessive = split_possessive(word)
    form = lookup_form(base)
    if form in MONTHS and not possessive and _is_month(document, index, shown=form in known):
        return False
    if not is_word:
        return not word.isupper() or _is_among_capitals(document, index)
    if word.isupper() and not _is_among_capitals(document, index):
        return False
    before = document.lower(index - 1)
    if index and not starts_sentence(document, index):
        return before not in DETERMINERS or (
            document.lower(index + 1) in SUBJECT_VERBS and before in {"that", "so", "all", "both"}
        )
    if possessive or form in known:
        return document.lower(index + 1) not in _NOT_SUBJECT
    return _acts_like_subject(document, index)


_NOT_SUBJECT: Final = (DETERMINERS | PRONOUNS) - {"it"}


def _acts_like_subject(document: Document, index: int) -> bool:
    after, gap = document.lower(index + 1), document.gap_after(index)
    next_word = document.word(index + 1)
    if after == "and" and not gap.strip():
        follower = document.word(index + 2)
        return (bool(follower[:1].isupper()) and follower.lower() not in _NOT_GIVEN) or (
            document.lower(index + 2) in {"his", "her", "their"}
        )
    if gap.strip() == ",":
        return next_word[:1].isupper() or after in {"who", "a", "an", "the", "his", "her"}
    if gap.strip():
        return False
    if next_word[:1].isupper() and after not in _NOT_GIVEN and not document.words[index].isupper():
        return True
    if is_said_to_be_a_thing(document, index):
        return False
    return after in SUBJECT_VERBS or after in {"himself", "herself", "who", "whose"}


def starts_sentence(document: Document, index: int) -> bool:
    """Whether the word at `index` begins a sentence, a line, a quotation or a bracket."""
    if index == 0:
        return True
    gap = document.gap_before(index)
    if not gap.strip():
        return "\n" in gap
    if document.lower(index - 1) in _ABBREVIATIONS and gap.strip() == ".":
        return False
    return any(char in _SENTENCE_EDGES for char in gap)


_ABBREVIATIONS: Final = word_set("mr mrs ms dr prof st sr jr lt sgt capt col gen rev gov sen rep")
_SENTENCE_EDGES: Final = frozenset('.?!:;"“”‘(*•…\n—–\x01')


def _is_among_capitals(document: Document, index: int) -> bool:
    neighbours = (document.word(index - 1), document.word(index + 1))
    return any(len(word) > 1 and word.isupper() for word in neighbours)


def _is_month(document: Document, index: int, *, shown: bool) -> bool:
    after, gap = document.word(index + 1), document.gap_after(index)
    if after[:1].isdigit() and gap.strip() in {"", ","}:
        return True
    if document.lower(index + 1) == "is" and document.lower(index + 3) in {
        "month",
        "fifth",
        "sixth",
    }:
        return True
    if document.lower(index + 1) in {"has", "had"} and document.lower(index + 3) == "days":
        return document.lower(index + 2) in {"28", "29", "30", "31", "thirty", "thirty-one"}
    before = _BEFORE_MONTH_ALONE if shown else _BEFORE_MONTH
    return document.lower(index - 1) in before and not (
        document.lower(index + 1) in SUBJECT_VERBS and not gap.strip()
    )


def _is_part_of_place(document: Document, index: int) -> bool:
    if document.lower(index - 1) in _PLACE_BEFORE and document.word(index - 1)[0].isupper():
        return document.gap_before(index).strip() in {"", "."} or _precedes_place(document, index)
    return _precedes_place(document, index)


def _precedes_place(document: Document, index: int) -> bool:
    return (
        document.lower(index + 1) in _PLACE_AFTER
        and document.word(index + 1)[0].isupper()
        and not document.gap_after(index).strip()
    )


def _is_surname(document: Document, index: int) -> bool:  # noqa: PLR0911 - one return a rule
    before = document.word(index - 1)
    lower = before.lower()
    if not before[:1].isupper() and lower != "president":
        return False
    gap = document.gap_before(index)
    if gap.strip() not in {"", "."} or "\n" in gap:
        return False
    if lower in _SURNAME_TITLES and (before[:1].isupper() or lower == "president"):
        # `Mr. Thomas` is a surname, `Mr. Thomas Smith` and `Mr. John and` … are not.
        after = document.word(index + 1)
        return not (after[:1].isupper() and not document.gap_after(index).strip())
    if gap.strip() or not before[:1].isupper() or lower in _NOT_GIVEN or lower in _TITLES:
        # An initial before a name: `J. Thomas`.
        return gap.strip() == "." and len(before) == 1 and before.isupper()
    if before.isupper() and not document.words[index].isupper():
        return False
    if split_possessive(before)[1]:
        return False
    form = lookup_form(before)
    entry = name_table().get(form)
    if entry is not None and not entry.is_word:
        return True
    if starts_sentence(document, index - 1):
        return entry is None and form in UNISEX
    return lower not in PREPOSITIONS


UNISEX: Final = word_set(
    "Alex Taylor Jordan Casey Sam Jamie Morgan Riley Avery Quinn Rowan Skyler Dakota Reese "
    "Peyton Parker Cameron Hayden Drew Charlie Frankie Jessie Jackie Robin Terry Pat Chris Lee "
    "Leslie Shannon Tracy Kelly Kim Dana Ashton Blake Finley Emerson Kendall Sage River Ariel "
    "Angel Marion Shelby Kerry Jody Corey Kai Noel Dominique Billie Jean Ash Sasha Andrea "
    "Willie Kit Lane"
)


def pair_by_length(length: Callable[[str], int]) -> dict[str, str]:
    """Name → name of the other gender, of equal length where there is one, both ways alike.

    Within a length, names are paired in their order of popularity; those that are left over are
    paired with each other. Names that are also words keep the counterpart that they have.

    Args:
        length: of a name, in whatever counts.
    """
    waiting: dict[Gender, dict[int, list[str]]] = {"male": {}, "female": {}}
    result: dict[str, str] = {}
    for entry in name_table().values():
        if entry.is_word:
            result[entry.name] = entry.opposite
        else:
            waiting[entry.gender].setdefault(length(entry.name), []).append(entry.name)
    males, females = waiting["male"], waiting["female"]
    rest: tuple[list[str], list[str]] = ([], [])
    for key in sorted({*males, *females}):
        left, right = males.get(key, []), females.get(key, [])
        both = min(len(left), len(right))
        result.update(zip(left[:both], right[:both], strict=True))
        rest[0].extend(left[both:])
        rest[1].extend(right[both:])
    result.update(zip(*rest, strict=True))
    return result | {opposite: name for name, opposite in result.items()}


def assign(
    names: Iterable[str],
    *,
    is_taken: Callable[[str], bool],
    opposites: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name → built-in counterpart for `names`; they differ, and none `is_taken`.

    A counterpart that the text already uses for somebody who keeps the name gives way to the next
    free name of the table.

    Args:
        names: as they stand in the table.
        is_taken: whether the text has a name in another role.
        opposites: counterparts that come before those of the table.
    """
    table = name_table()
    wanted = list(dict.fromkeys(names))
    used: set[str] = set()
    result: dict[str, str] = {}
    for name in wanted:
        entry = table[name]
        choice = entry.opposite if opposites is None else opposites.get(name, entry.opposite)
        if choice in used or is_taken(choice):
            ranked = ranked_names("female" if entry.gender == "male" else "male")
            free = (n for n in ranked if n not in used and not table[n].is_word and not is_taken(n))
            choice = next(free)
        used.add(choice)
        result[name] = choice
    return result
