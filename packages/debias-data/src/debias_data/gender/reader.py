"""Finding the gender markers of a text: one pass over its words, then the context of each hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from debias_data.gender.context import is_marker
from debias_data.gender.fixed import is_fixed
from debias_data.gender.lexicon import Entry, lexicon
from debias_data.gender.names import (
    NameEntry,
    is_name,
    is_name_again,
    lookup_form,
    name_table,
    split_possessive,
    starts_sentence,
)
from debias_data.gender.pairing import paired_pronouns
from debias_data.gender.tokens import Document, tokenize
from debias_data.gender.types import Gender, Span
from debias_data.gender.words import word_set


@dataclass(frozen=True, slots=True)
class Marker:
    """One gender marker.

    Attributes:
        index: of the word in the document.
        start, end: of the form itself, without a contraction or a possessive.
        stop: where the marker ends as a reader sees it: `He's`, `Mr.`
        entry: what the form is; a `NameEntry` for a given name.
        is_paired: it is half of `his or her`, which names nobody's gender.
    """

    index: int
    start: int
    end: int
    stop: int
    gender: Gender
    entry: Entry | NameEntry
    is_paired: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A document and the markers in it, in order."""

    document: Document
    markers: tuple[Marker, ...]

    def genders(self) -> set[Gender]:
        """The genders of the markers that count: paired pronouns cancel."""
        return {marker.gender for marker in self.markers if not marker.is_paired}

    def spans(self) -> tuple[Span, ...]:
        """The markers that count, as spans of the text."""
        text = self.document.text
        return tuple(
            Span(m.start, m.stop, text[m.start : m.stop], m.gender)
            for m in self.markers
            if not m.is_paired
        )


def read(text: str, *, extra_names: Mapping[str, Gender] | None = None) -> Reading:
    """The gender markers of `text`.

    Args:
        text: any text.
        extra_names: names beyond the built-in table, with their genders.
    """
    document = tokenize(text)
    words = lexicon()
    lowers = document.lowers
    hits = [
        (index, 0, len(lower), words[lower]) for index, lower in enumerate(lowers) if lower in words
    ]
    for index, lower in enumerate(lowers):
        if not lower.isalpha() and lower not in words and not lower.isdigit():
            hits.extend((index, *piece) for piece in _pieces(lower))
    named = _name_candidates(document, extra_names or {})
    markers = [
        _marker(document, index, first, last, entry)
        for index, first, last, entry in hits
        if is_marker(document, index, entry) and not is_fixed(document, index)
    ]
    taken = {marker.index for marker in markers}
    markers += _names(document, [item for item in named if item[0] not in taken])
    markers = _drop_unsupported(markers)
    markers.sort(key=lambda marker: marker.start)
    return Reading(document, paired_pronouns(document, markers))


def _marker(document: Document, index: int, first: int, last: int, entry: Entry) -> Marker:
    start = document.starts[index] + first
    end = document.starts[index] + last
    stop = end
    if entry.kind == "pronoun":
        stop = document.ends[index] if "'" in document.lowers[index][last : last + 1] else end
    elif entry.kind == "title" and document.gap_after(index).startswith("."):
        stop = end + 1
    return Marker(index, start, end, stop, entry.gender, entry)


_UNREAD_BEFORE = word_set(
    "spider super bat iron ant x pac he she cat wonder aqua hang snow one two three four five "
    "six seven eight nine ten eleven twelve yes straw stick bogey mega rocket"
)


def _pieces(lower: str) -> list[tuple[int, int, Entry]]:
    """The gendered parts of a word with apostrophes or hyphens: `he'll`, `half-brother's`."""
    words = lexicon()
    base, _, suffix = lower.partition("'")
    if suffix and suffix not in {"s", "d", "ll", "ve", "re"}:
        return []
    if "-" not in base:
        entry = words.get(base)
        if entry is None or (entry.kind == "pronoun" and entry.form not in {"he", "she"}):
            return []
        return [(0, len(base), entry)]
    if base in words:
        return [(0, len(base), words[base])]
    return _hyphenated(base)


def _hyphenated(base: str) -> list[tuple[int, int, Entry]]:
    words = lexicon()
    for tail in ("-in-law", "-to-be"):
        if base.endswith(tail):
            return [
                (start, end, entry)
                for start, end, entry in _hyphenated_or_plain(base.removesuffix(tail))
            ]
    parts = base.split("-")
    found: list[tuple[int, int, Entry]] = []
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
                found.append((position, position + len(part), entry))
        position += len(part) + 1
    return found


def _hyphenated_or_plain(base: str) -> list[tuple[int, int, Entry]]:
    entry = lexicon().get(base)
    return [(0, len(base), entry)] if entry is not None else _hyphenated(base)


_Candidate = tuple[int, str, NameEntry]


def _name_candidates(document: Document, extra: Mapping[str, Gender]) -> list[_Candidate]:
    """The words that are spelt like given names: index, form without possessive, entry."""
    table = name_table()
    found: list[_Candidate] = []
    for index, word in enumerate(document.words):
        if word in table and word not in extra:
            found.append((index, word, table[word]))
        elif word[0].isupper() and (not word.isalpha() or word.isupper() or extra):
            base, _ = split_possessive(word)
            form = lookup_form(base)
            entry = table.get(form)
            if form in extra:
                entry = NameEntry(form, extra[form], form, is_word=entry is None or entry.is_word)
            if entry is not None:
                found.append((index, base, entry))
    return found


def _names(document: Document, candidates: list[_Candidate]) -> list[Marker]:
    known: frozenset[str] = frozenset()
    found: list[Marker] = []
    rejected: list[tuple[int, str, NameEntry]] = []
    # Word-names come last: their other occurrences may have shown them to be names.
    for index, base, entry in sorted(candidates, key=lambda item: (item[2].is_word, item[0])):
        shown = entry.name in known or _is_shown(document, entry, candidates)
        names = frozenset({entry.name}) if shown else known
        if is_fixed(document, index):
            continue
        if is_name(document, index, is_word=entry.is_word, known=names):
            found.append(_name_marker(document, index, base, entry))
        elif not entry.is_word:
            rejected.append((index, base, entry))
    if not rejected:
        return found
    shown_names = {marker.entry for marker in found}
    accepted = frozenset(marker.index for marker in found)
    return found + [
        _name_marker(document, index, base, entry)
        for index, base, entry in rejected
        if entry in shown_names and is_name_again(document, index, accepted)
    ]


def _name_marker(document: Document, index: int, base: str, entry: NameEntry) -> Marker:
    start = document.starts[index]
    return Marker(index, start, start + len(base), start + len(base), entry.gender, entry)


def _is_shown(
    document: Document, entry: NameEntry, candidates: list[tuple[int, str, NameEntry]]
) -> bool:
    """Whether a word-name also stands inside a sentence, where only names do."""
    if not entry.is_word:
        return True
    return any(
        other.name == entry.name
        and not starts_sentence(document, index)
        and is_name(document, index, is_word=True, known=frozenset())
        for index, _, other in candidates
    )


def _drop_unsupported(markers: list[Marker]) -> list[Marker]:
    """Without words such as `actor` that mark nobody unless another male marker stands by."""
    weak = [m for m in markers if isinstance(m.entry, Entry) and "weak" in m.entry.flags]
    if not weak:
        return markers
    strong = {marker.gender for marker in markers if marker not in weak}
    return [marker for marker in markers if marker not in weak or strong == {marker.gender}]
