"""Finding the gender markers of a text: one pass over its words, then the context of each hit."""

from __future__ import annotations

from collections.abc import Mapping, Set
from operator import attrgetter
from typing import Final

from debias_data.gender.context import is_marker
from debias_data.gender.fixed import is_fixed
from debias_data.gender.lexicon import Entry
from debias_data.gender.names import (
    NameEntry,
    is_alone,
    is_name,
    is_name_again,
    starts_sentence,
)
from debias_data.gender.pairing import flag_paired
from debias_data.gender.protected import has_sign
from debias_data.gender.screening import may_be_found
from debias_data.gender.tokens import Document, tokenize
from debias_data.gender.types import Gender, PlainSpan, Span
from debias_data.gender.vocabulary import Piece, Spelt, SpeltName, name_among, vocabulary

_Found = tuple[int, Spelt]
_Candidate = tuple[int, SpeltName]


# Plain classes, since many of them are made of every text: compiled, they are the cheapest ones.


class Marker:
    """One gender marker.

    Attributes:
        word: its index in the document.
        start, end: of the form itself, without a contraction or a possessive.
        stop: where the marker ends as a reader sees it: `He's`, `Mr.`
        gender: which it marks.
        entry: what the form is; a `NameEntry` for a given name.
        is_paired: it is half of `his or her`, which names nobody's gender.
    """

    __slots__ = ("end", "entry", "gender", "is_paired", "start", "stop", "word")

    def __init__(
        self, word: int, start: int, end: int, stop: int, entry: Entry | NameEntry
    ) -> None:
        self.word = word
        self.start, self.end, self.stop = start, end, stop
        self.gender: Gender = entry.gender
        self.entry = entry
        self.is_paired = False


class Reading:
    """What was read of a text.

    Attributes:
        text: the text.
        markers: the gender markers, in order.
        found: index of each word that may be something, with what it may be.
        has_sex_bound: false where no word could belong to a predicate bound to one sex.
        has_person: false where no word could be a real person's last name.
    """

    __slots__ = ("_document", "found", "has_person", "has_sex_bound", "markers", "text")

    def __init__(self, text: str, document: Document | None, found: list[_Found]) -> None:
        self.text, self._document, self.found = text, document, found
        self.markers: list[Marker] = []
        self.has_sex_bound = self.has_person = False

    @property
    def document(self) -> Document:
        """The words of the text; a text that was screened out is cut into them when asked for."""
        document = self._document
        if document is None:
            document = self._document = tokenize(self.text)
        return document

    def genders(self) -> set[Gender]:
        """The genders of the markers that count: paired pronouns cancel."""
        return {marker.gender for marker in self.markers if not marker.is_paired}

    def spans(self) -> tuple[Span, ...]:
        """The markers that count, as spans of the text."""
        return tuple(Span(*span) for span in self.plain_spans())

    def plain_spans(self) -> list[PlainSpan]:
        """`spans`, each as a plain tuple."""
        text = self.text
        return [
            (m.start, m.stop, text[m.start : m.stop], m.gender)
            for m in self.markers
            if not m.is_paired
        ]


def read(text: str, *, extra_names: Mapping[str, Gender] | None = None) -> Reading:
    """The gender markers of `text`.

    Args:
        text: any text.
        extra_names: names beyond the built-in table, with their genders.
    """
    if not extra_names and has_sign(text) and not may_be_found(text):
        return Reading(text, None, [])  # cutting it would take longer than screening it
    return read_unscreened(text, extra_names=extra_names)


def read_unscreened(text: str, *, extra_names: Mapping[str, Gender] | None = None) -> Reading:
    """`read` for a text in which something is likely to be found."""
    document = tokenize(text)
    spelt = map(vocabulary().__getitem__, document.words)
    found = [(index, kind) for index, kind in enumerate(spelt) if kind is not None]
    if extra_names:
        return _read(document, found, _candidates_among(document, extra_names))
    return _read(document, found, _named(found))


def read_changed(reading: Reading, changed: Mapping[int, str], text: str) -> Reading:
    """`read(text)`, where only the words at these indices differ from a text that has been read."""
    kinds: dict[int, Spelt] = dict(reading.found)
    for index, word in changed.items():
        kind = vocabulary()[word]
        if kind is not None:
            kinds[index] = kind
        else:
            kinds.pop(index, None)
    found = sorted(kinds.items())
    return _read(reading.document.with_words(changed, text), found, _named(found))


def _named(found: list[_Found]) -> list[_Candidate]:
    return [(index, kind.name) for index, kind in found if kind.name is not None]


def _read(document: Document, found: list[_Found], named: list[_Candidate]) -> Reading:
    reading = Reading(document.text, document, found)
    markers: list[Marker] = []
    for index, spelt in found:
        if spelt.is_of_sex_bound:
            reading.has_sex_bound = True
        if spelt.is_of_person:
            reading.has_person = True
        for piece in spelt.pieces:
            if piece.is_sure or (
                is_marker(document, index, piece.entry)
                and (piece.is_free or not is_fixed(document, index))
            ):
                markers.append(_marker(document, index, piece))  # noqa: PERF401 - two loops
    if named:
        taken = {marker.word for marker in markers}
        markers += _names(document, [item for item in named if item[0] not in taken])
        markers.sort(key=_start)
    if markers:
        reading.markers = _drop_unsupported(markers)
        flag_paired(document, reading.markers)
    return reading


_start = attrgetter("start")


def _marker(document: Document, index: int, piece: Piece) -> Marker:
    last, entry = piece.end, piece.entry
    start = document.starts[index]
    end = start + last
    stop = end
    if entry.kind == "pronoun":
        if len(document.words[index]) > last and document.lower(index)[last] == "'":
            stop = start + len(document.words[index])
    elif entry.kind == "title" and document.gap_after(index).startswith("."):
        stop = end + 1
    return Marker(index, start + piece.start, end, stop, entry)


def _candidates_among(document: Document, extra: Mapping[str, Gender]) -> list[_Candidate]:
    found = ((index, name_among(word, extra)) for index, word in enumerate(document.words))
    return [(index, name) for index, name in found if name is not None]


_NOBODY: Final[Set[str]] = frozenset()


def _names(document: Document, candidates: list[_Candidate]) -> list[Marker]:
    found: list[Marker] = []
    rejected: list[tuple[int, str, NameEntry]] = []
    for index, name in candidates:
        base, entry = name.base, name.entry
        if name.is_plain and is_alone(document, index):
            found.append(_name_marker(document, index, base, entry))
            continue
        if not name.is_free and is_fixed(document, index):
            continue
        names = {entry.name} if _is_shown(document, entry, candidates) else _NOBODY
        if is_name(document, index, is_word=entry.is_word, known=names):
            found.append(_name_marker(document, index, base, entry))
        elif not entry.is_word:
            rejected.append((index, base, entry))
    if not rejected:
        return found
    shown_names = {marker.entry for marker in found}
    accepted = frozenset(marker.word for marker in found)
    return found + [
        _name_marker(document, index, base, entry)
        for index, base, entry in rejected
        if entry in shown_names and is_name_again(document, index, accepted)
    ]


def _name_marker(document: Document, index: int, base: str, entry: NameEntry) -> Marker:
    start = document.starts[index]
    return Marker(index, start, start + len(base), start + len(base), entry)


def _is_shown(document: Document, entry: NameEntry, candidates: list[_Candidate]) -> bool:
    """Whether a word-name also stands inside a sentence, where only names do."""
    if not entry.is_word:
        return True
    return any(
        other.entry.name == entry.name
        and not starts_sentence(document, index)
        and is_name(document, index, is_word=True, known=_NOBODY)
        for index, other in candidates
    )


def _drop_unsupported(markers: list[Marker]) -> list[Marker]:
    """Without words such as `actor` that mark nobody unless another male marker stands by."""
    weak = [m for m in markers if isinstance(m.entry, Entry) and "weak" in m.entry.flags]
    if not weak:
        return markers
    strong = {marker.gender for marker in markers if marker not in weak}
    return [marker for marker in markers if marker not in weak or strong == {marker.gender}]
