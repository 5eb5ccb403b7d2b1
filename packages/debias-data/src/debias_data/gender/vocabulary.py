"""What a word may be on its own, before its context is looked at; looked up once a spelling.

Most words are nothing: a text is read by asking for all of its words at once, and only the few
that may be something are looked at in their places.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from debias_data.gender.context import is_sure
from debias_data.gender.fixed import is_ever_fixed
from debias_data.gender.lexicon import Entry, lexicon
from debias_data.gender.names import (
    MONTHS,
    NameEntry,
    lookup_form,
    name_table,
    split_possessive,
)
from debias_data.gender.refusals import is_of_person, is_of_sex_bound
from debias_data.gender.types import Gender
from debias_data.gender.words import word_set
from debias_data.remembering import Remembered


class Piece:
    """A gendered form inside a word: `he` of `he'll`, offsets in the word.

    `is_sure` is true where no context can speak against it, `is_free` where the word is part of no
    fixed expression.
    """

    __slots__ = ("end", "entry", "is_free", "is_sure", "start")

    def __init__(self, start: int, end: int, entry: Entry) -> None:
        self.start, self.end, self.entry = start, end, entry
        self.is_sure = self.is_free = False


class SpeltName:
    """A given name, without a possessive, as it is written, and which it is.

    `is_free` is true where it is part of no fixed expression, `is_plain` where besides only its
    neighbours can speak against it: it is no other word, no month and not in capitals.
    """

    __slots__ = ("base", "entry", "is_free", "is_plain")

    def __init__(self, base: str, entry: NameEntry, *, is_free: bool, is_plain: bool) -> None:
        self.base, self.entry = base, entry
        self.is_free, self.is_plain = is_free, is_plain


class Spelt:
    """What a word may be.

    Attributes:
        pieces: the gendered forms in it.
        name: the given name that it may be.
        is_of_sex_bound: it may belong to a predicate bound to one sex.
        is_of_person: it may be the last name of a real person.
    """

    __slots__ = ("is_of_person", "is_of_sex_bound", "name", "pieces")

    def __init__(self, pieces: list[Piece], name: SpeltName | None, lower: str) -> None:
        self.pieces, self.name = pieces, name
        self.is_of_sex_bound, self.is_of_person = is_of_sex_bound(lower), is_of_person(lower)

    def is_something(self) -> bool:
        """Whether it is more than any word."""
        return (
            bool(self.pieces) or self.name is not None or self.is_of_sex_bound or self.is_of_person
        )


@cache
def vocabulary() -> Mapping[str, Spelt | None]:
    """What each word may be, by its spelling; any word can be asked for."""
    return Remembered(_spelt)


def _spelt(word: str) -> Spelt | None:
    lower = word.lower().replace("’", "'")
    free = not is_ever_fixed(lower)
    pieces = _pieces(lower)
    for piece in pieces:
        piece.is_sure = free and is_sure(word, piece.entry)
        piece.is_free = free
    found = Spelt(pieces, name_among(word, {}), lower)
    return found if found.is_something() else None


def name_among(word: str, extra: Mapping[str, Gender]) -> SpeltName | None:
    """The given name that `word` may be, where a caller's names come before the table's."""
    if not word[0].isupper():
        return None
    table = name_table()
    is_free = not is_ever_fixed(word.lower().replace("’", "'"))
    base, _ = (word, "") if word in table else split_possessive(word)
    form = lookup_form(base)
    entry = table.get(form)
    if form in extra:
        entry = NameEntry(form, extra[form], form, is_word=entry is None or entry.is_word)
    if entry is None:
        return None
    is_plain = is_free and not (entry.is_word or word.isupper() or form in MONTHS)
    return SpeltName(base, entry, is_free=is_free, is_plain=is_plain)


_UNREAD_BEFORE: Final = word_set(
    "spider super bat iron ant x pac he she cat wonder aqua hang snow one two three four five "
    "six seven eight nine ten eleven twelve yes straw stick bogey mega rocket"
)


def _pieces(lower: str) -> list[Piece]:
    """The gendered parts of a word: all of it, or parts of `he'll`, `half-brother's`."""
    words = lexicon()
    if lower in words:
        return [Piece(0, len(lower), words[lower])]
    if lower.isalpha() or lower.isdigit():
        return []
    base, _, suffix = lower.partition("'")
    if suffix and suffix not in {"s", "d", "ll", "ve", "re"}:
        return []
    if "-" not in base:
        entry = words.get(base)
        if entry is None or (entry.kind == "pronoun" and entry.form not in {"he", "she"}):
            return []
        return [Piece(0, len(base), entry)]
    return _hyphenated_or_plain(base)


def _hyphenated(base: str) -> list[Piece]:
    words = lexicon()
    for tail in ("-in-law", "-to-be"):
        if base.endswith(tail):
            return _hyphenated_or_plain(base.removesuffix(tail))
    parts = base.split("-")
    found: list[Piece] = []
    position = 0
    for number, part in enumerate(parts):
        entry = words.get(part)
        last = number == len(parts) - 1
        if (
            entry is not None
            and entry.kind in {"noun", "adj"}
            and not (number and parts[number - 1] in _UNREAD_BEFORE)
        ):
            joined = not last and (
                parts[number + 1] in words or parts[number + 1] in {"only", "led", "dominated"}
            )
            if last or joined:
                found.append(Piece(position, position + len(part), entry))
        position += len(part) + 1
    return found


def _hyphenated_or_plain(base: str) -> list[Piece]:
    entry = lexicon().get(base)
    return [Piece(0, len(base), entry)] if entry is not None else _hyphenated(base)
