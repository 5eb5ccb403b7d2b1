"""The counterfactual: the same text about a person of the other gender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from debias_data.gender.lexicon import Entry
from debias_data.gender.names import (
    NameEntry,
    assign,
    lookup_form,
    name_table,
    split_possessive,
)
from debias_data.gender.pronouns import choose
from debias_data.gender.reader import Marker, Reading, read, read_changed
from debias_data.gender.refusals import real_person, sex_bound
from debias_data.gender.tokens import Document
from debias_data.gender.types import OPPOSITE, Gender, PlainSpan, Refusal, Span, SwapResult, Target


def swap(
    text: str,
    to: Target = "swap",
    *,
    names: Mapping[str, str] | None = None,
    opposites: Mapping[str, str] | None = None,
) -> SwapResult | Refusal:
    """The text with its gender markers turned into those of the other gender.

    Everything else comes back byte for byte: case, spacing, LaTeX, code, URLs, numbers. A text
    without a marker, or one that is all of the wanted gender, comes back as it is.

    Args:
        text: any text.
        to: `male` or `female` for a text that is to be of that gender; `swap` exchanges the two.
        names: name → name, in place of the built-in table; names that are not in it stay.
        opposites: other counterparts for names of the built-in table, such as those of equal token
            count (`token_counts.names_of_equal_length`).

    Returns:
        A `Refusal` when the text has no such version: both genders stand in it and one was asked
        for, a predicate goes with one sex, or a real person is named.

    Raises:
        ValueError: `to` is none of the three.
    """
    if to not in ("male", "female", "swap"):
        raise ValueError(f"to={to!r} is not one of 'male', 'female', 'swap'")
    reading = read(text, extra_names=_extra_names(names, to))
    genders = reading.genders()
    if not genders or genders == {to}:
        return SwapResult(text, reading.spans(), 1.0)
    if to != "swap" and len(genders) > 1:
        words = ", ".join(span.text for span in reading.spans()[:6])
        return Refusal("mixed", f"markers of both genders: {words}")
    refusal = _why_not(reading)
    if refusal is not None:
        return refusal
    found = _apply(reading, _name_map([reading], names, opposites))
    return SwapResult(found.text, tuple(Span(*span) for span in found.spans), found.confidence)


class Swapped:
    """A reading's text with its markers replaced.

    Attributes:
        text, spans, confidence: as in `SwapResult`, where the spans are plain tuples.
        changed: the words that changed, by index; None where more than words did.
    """

    __slots__ = ("changed", "confidence", "spans", "text")

    def __init__(
        self,
        text: str,
        spans: list[PlainSpan],
        confidence: float,
        changed: Mapping[int, str] | None,
    ) -> None:
        self.text, self.spans, self.confidence, self.changed = text, spans, confidence, changed

    def read_again(self, given: Reading) -> Reading:
        """The new text read; `given` is what was read of the one it was made from."""
        if self.changed is None:
            return read(self.text)
        return read_changed(given, self.changed, self.text)


class Together(NamedTuple):
    """A problem and its solution, swapped."""

    prompt: Swapped
    reference: Swapped | None


def swap_together(
    prompt: Reading, reference: Reading | None, *, opposites: Mapping[str, str] | None = None
) -> Together | Refusal:
    """`swap` on a problem and its solution, each name replaced by the same one in both."""
    readings = [prompt] if reference is None else [prompt, reference]
    for reading in readings:
        refusal = _why_not(reading)
        if refusal is not None:
            return refusal
    mapping = _name_map(readings, None, opposites)
    return Together(
        _apply(prompt, mapping), _apply(reference, mapping) if reference is not None else None
    )


def _why_not(reading: Reading) -> Refusal | None:
    bound = sex_bound(reading.document) if reading.has_sex_bound else None
    if bound is not None:
        return Refusal("sex_bound", bound)
    if not reading.has_person:
        return None
    places = [index for index, spelt in reading.found if spelt.is_of_person]
    person = real_person(reading.document, places)
    return Refusal("real_person", person) if person is not None else None


def _extra_names(names: Mapping[str, str] | None, to: Target) -> dict[str, Gender]:
    """Genders for the names of a caller's map: the built-in one, else the one swapped from."""
    if not names:
        return {}
    table = name_table()
    source: Gender = "female" if to == "male" else "male"
    extra: dict[str, Gender] = {}
    for name in names:
        entry = table.get(name)
        extra[name] = source if entry is None or to != "swap" else entry.gender
    return extra


_NO_NAMES: Final[Mapping[str, str]] = {}


def _name_map(
    readings: Sequence[Reading],
    names: Mapping[str, str] | None,
    opposites: Mapping[str, str] | None = None,
) -> Mapping[str, str]:
    present: dict[str, None] = {}
    for reading in readings:
        for marker in reading.markers:
            if isinstance(marker.entry, NameEntry):
                present[marker.entry.name] = None
    if not present:
        return _NO_NAMES
    if names is not None:
        return {name: names[name] for name in present if name in names}

    def is_taken(name: str) -> bool:
        return any(name in reading.text and _keeps_name(reading, name) for reading in readings)

    return assign(present, is_taken=is_taken, opposites=opposites)


def _keeps_name(reading: Reading, name: str) -> bool:
    """Whether `name` stands in the text where it is no marker, and stays."""
    swapped = {m.word for m in reading.markers if isinstance(m.entry, NameEntry)}
    return any(
        index not in swapped and lookup_form(split_possessive(word)[0]) == name
        for index, word in enumerate(reading.document.words)
    )


def _apply(reading: Reading, mapping: Mapping[str, str]) -> Swapped:
    if not reading.markers:
        return Swapped(reading.text, [], 1.0, {})
    document = reading.document
    text, words, starts = document.text, document.words, document.starts
    pieces: list[str] = []
    spans: list[PlainSpan] = []
    changed: dict[int, str] = {}
    only_words = True
    position = length = 0
    confidence = 1.0
    for marker in reading.markers:
        if marker.is_paired:
            continue
        index, first, last, stop = marker.word, marker.start, marker.end, marker.stop
        form = text[first:last]
        word, sure = _counterpart(reading, marker, form, mapping)
        replacement, fixes_article = _written(form, word)
        confidence = min(confidence, sure)
        before = text[position:first]
        if fixes_article:
            fixed = _fix_article(before, form, replacement)
            only_words = only_words and fixed == before
            before = fixed
        tail = _NO_TAIL
        if stop > last or form[-1] in "sS" or replacement[-1] in "sS":
            tail = _tail(text, marker, form, replacement)
            only_words = only_words and len(tail.written) == tail.consumed
        only_words = only_words and index not in changed
        at = first - starts[index]
        changed[index] = words[index][:at] + replacement + words[index][at + len(form) :]
        start = length + len(before)
        shown = replacement + tail.shown
        spans.append((start, start + len(shown), shown, OPPOSITE[marker.gender]))
        pieces += (before, replacement, tail.written)
        length = start + len(replacement) + len(tail.written)
        position = last + tail.consumed
    pieces.append(text[position:])
    return Swapped("".join(pieces), spans, confidence, changed if only_words else None)


class _Tail:
    """What follows a replaced form: how much of the text it takes, and what is written."""

    __slots__ = ("consumed", "shown", "written")

    def __init__(self, written: str, shown: str, consumed: int) -> None:
        self.written, self.shown, self.consumed = written, shown, consumed


_NO_TAIL: Final = _Tail("", "", 0)


def _tail(text: str, marker: Marker, form: str, replacement: str) -> _Tail:
    if marker.stop > marker.end:
        kept = text[marker.end : marker.stop]
        return _Tail(kept, kept, len(kept))
    if isinstance(marker.entry, Entry):
        if marker.entry.form == "miss":
            return _Tail(".", ".", 0)
        return _plural_tail(text[marker.end : marker.end + 3], form.lower(), replacement.lower())
    # `James' book` → `Mary's book`
    if form[-1] not in "sS" or replacement[-1] in "sS":
        return _NO_TAIL
    rest = text[marker.end : marker.end + 2]
    if rest[:1] not in {"'", "’"} or rest[1:2] not in {" ", ""}:
        return _NO_TAIL
    quoted = text[: marker.start].rstrip()[-1:] in {"'", "‘"} or text[: marker.start].count("'") % 2
    return _NO_TAIL if quoted else _Tail(rest[0] + ("S" if form.isupper() else "s"), "", 1)


def _is_beside_mrs(document: Document, index: int) -> bool:
    return any(
        document.lower(index + side) in {"and", "or"} and document.lower(index + 2 * side) == "mrs"
        for side in (1, -1)
    )


def _plural_tail(rest: str, form: str, replacement: str) -> _Tail:
    """`gentlemen's club` → `ladies' club` and back; `rest` is what follows the form."""
    if rest[:1] not in {"'", "’"}:
        return _NO_TAIL
    if form.endswith("men") and replacement.endswith("s") and rest[1:2] in {"s", "S"}:
        return _Tail(rest[0], "", 2)
    if form.endswith("s") and replacement.endswith("men") and rest[1:2] in {" ", ""}:
        return _Tail(f"{rest[0]}s", "", 1)
    return _NO_TAIL


def _counterpart(
    reading: Reading, marker: Marker, form: str, mapping: Mapping[str, str]
) -> tuple[str, float]:
    """What stands for the marked form, in whatever case, and how sure that is."""
    entry = marker.entry
    if not isinstance(entry, Entry):
        return mapping.get(lookup_form(form), form), 1.0
    if entry.form == "sir" and reading.document.word(marker.word + 1)[:1].isupper():
        return "dame", 1.0  # Sir Thomas, Dame Sarah
    if entry.form == "mr" and _is_beside_mrs(reading.document, marker.word):
        return "mrs", 1.0  # Mr. and Mrs. Smith, Mrs. and Mr. Smith
    if entry.opposite is not None:
        return entry.opposite, 1.0
    return choose(reading.document, marker.word, entry.form)


@lru_cache(maxsize=1 << 14)
def _written(form: str, word: str) -> tuple[str, bool]:
    """`word` in the case of `form`, and whether `a` before one of them is `an` before the other."""
    replacement = match_case(form, word)
    return replacement, _sounds_like_vowel(form) != _sounds_like_vowel(replacement)


def match_case(model: str, word: str) -> str:
    """`word` in the case of `model`: `HE` → `SHE`, `He` → `She`, `he` → `she`."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper():
        return word[:1].upper() + word[1:]
    return word


_SILENT_H: Final = ("heir", "honest", "hour", "honor", "honour")
_CONSONANT_VOWELS: Final = ("uni", "use", "eu", "one", "once", "ut", "ur")


def _sounds_like_vowel(word: str) -> bool:
    lower = word.lower()
    if lower.startswith(_SILENT_H):
        return True
    return lower[:1] in "aeiouáéíóúàèìòùâêîôûäëïöü" and not lower.startswith(_CONSONANT_VOWELS)


def _fix_article(before: str, old: str, new: str) -> str:
    """The text before a replaced word, its `a`/`an` made to agree."""
    stripped = before.rstrip(" ")
    gap = before[len(stripped) :]
    article = stripped[-2:] if stripped[-2:].lower() == "an" else stripped[-1:]
    ahead = stripped[: -len(article)] if article else stripped
    if not gap or article.lower() not in {"a", "an"} or (ahead and ahead[-1].isalnum()):
        return before
    if len(article) == 1 and _sounds_like_vowel(new):
        return ahead + (article + ("N" if old.isupper() else "n")) + gap
    if len(article) == 2 and not _sounds_like_vowel(new):
        return ahead + article[0] + gap
    return before
