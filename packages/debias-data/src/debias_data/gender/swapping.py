"""The counterfactual: the same text about a person of the other gender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from debias_data.gender.lexicon import Entry
from debias_data.gender.names import (
    NameEntry,
    NameMap,
    assign,
    lookup_form,
    name_table,
    split_possessive,
)
from debias_data.gender.pronouns import choose
from debias_data.gender.reader import Marker, Reading, read
from debias_data.gender.refusals import real_person, sex_bound
from debias_data.gender.types import OPPOSITE, Gender, Refusal, Span, SwapResult, Target


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
    return _why_not(reading) or _apply(reading, _name_map([reading], names, opposites))


def swap_together(
    prompt: Reading, reference: Reading | None, *, opposites: Mapping[str, str] | None = None
) -> tuple[SwapResult, SwapResult | None] | Refusal:
    """`swap` on a problem and its solution, each name replaced by the same one in both."""
    readings = [prompt] if reference is None else [prompt, reference]
    for reading in readings:
        refusal = _why_not(reading)
        if refusal is not None:
            return refusal
    mapping = _name_map(readings, None, opposites)
    swapped = [_apply(reading, mapping) for reading in readings]
    return swapped[0], (swapped[1] if reference is not None else None)


def _why_not(reading: Reading) -> Refusal | None:
    if not reading.is_suspect:
        return None
    bound = sex_bound(reading.document)
    if bound is not None:
        return Refusal("sex_bound", bound)
    person = real_person(reading.document)
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


def _changing(reading: Reading) -> list[Marker]:
    return [marker for marker in reading.markers if not marker.is_paired]


_NO_NAMES = NameMap({})


def _name_map(
    readings: Sequence[Reading],
    names: Mapping[str, str] | None,
    opposites: Mapping[str, str] | None = None,
) -> NameMap:
    if not any(isinstance(m.entry, NameEntry) for reading in readings for m in reading.markers):
        return _NO_NAMES
    present: dict[str, None] = {}
    swapped: list[set[int]] = []
    for reading in readings:
        named = {m.word: m.entry.name for m in _changing(reading) if isinstance(m.entry, NameEntry)}
        present.update(dict.fromkeys(named.values()))
        swapped.append(set(named))
    if names is not None:
        return NameMap({name: names[name] for name in present if name in names})

    def is_taken(name: str) -> bool:
        return any(
            name in reading.document.text
            and any(
                index not in indices and lookup_form(split_possessive(word)[0]) == name
                for index, word in enumerate(reading.document.words)
            )
            for reading, indices in zip(readings, swapped, strict=True)
        )

    return assign(present, is_taken=is_taken, opposites=opposites)


def _apply(reading: Reading, mapping: NameMap) -> SwapResult:
    text = reading.document.text
    pieces: list[str] = []
    spans: list[Span] = []
    position = length = 0
    confidence = 1.0
    for marker in reading.markers:
        if marker.is_paired:
            continue
        form = text[marker.start : marker.end]
        replacement, sure = _replacement(reading, marker, form, mapping)
        confidence = min(confidence, sure)
        before = text[position : marker.start]
        if _sounds_like_vowel(form) != _sounds_like_vowel(replacement):
            before = _fix_article(before, form, replacement)
        tail = _tail(text, marker, form, replacement)
        start = length + len(before)
        shown = replacement + tail.shown
        spans.append(Span(start, start + len(shown), shown, OPPOSITE[marker.gender]))
        pieces += (before, replacement, tail.written)
        length = start + len(replacement) + len(tail.written)
        position = marker.end + tail.consumed
    pieces.append(text[position:])
    return SwapResult("".join(pieces), tuple(spans), confidence)


class _Tail(NamedTuple):
    """What follows a replaced form: how much of the text it takes, and what is written."""

    written: str
    shown: str
    consumed: int


_NO_TAIL = _Tail("", "", 0)


def _tail(text: str, marker: Marker, form: str, replacement: str) -> _Tail:
    if marker.stop > marker.end:
        kept = text[marker.end : marker.stop]
        return _Tail(kept, kept, len(kept))
    if isinstance(marker.entry, Entry):
        return _Tail(".", ".", 0) if marker.entry.form == "miss" else _NO_TAIL
    # `James' book` → `Mary's book`
    if form[-1] not in "sS" or replacement[-1] in "sS":
        return _NO_TAIL
    rest = text[marker.end : marker.end + 2]
    if rest[:1] not in {"'", "’"} or rest[1:2] not in {" ", ""}:
        return _NO_TAIL
    quoted = text[: marker.start].rstrip()[-1:] in {"'", "‘"} or text[: marker.start].count("'") % 2
    return _NO_TAIL if quoted else _Tail(rest[0] + ("S" if form.isupper() else "s"), "", 1)


def _replacement(
    reading: Reading, marker: Marker, form: str, mapping: NameMap
) -> tuple[str, float]:
    entry = marker.entry
    if not isinstance(entry, Entry):
        if lookup_form(form) not in mapping.replacements:
            return form, 1.0
        return match_case(form, mapping.replace(form)), 1.0
    if entry.form == "sir" and reading.document.word(marker.word + 1)[:1].isupper():
        return match_case(form, "dame"), 1.0  # Sir Thomas, Dame Sarah
    if entry.opposite is not None:
        return match_case(form, entry.opposite), 1.0
    choice = choose(reading.document, marker.word, entry.form)
    return match_case(form, choice.form), choice.confidence


@lru_cache(maxsize=1 << 14)
def match_case(model: str, word: str) -> str:
    """`word` in the case of `model`: `HE` → `SHE`, `He` → `She`, `he` → `she`."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper():
        return word[:1].upper() + word[1:]
    return word


_SILENT_H = ("heir", "honest", "hour", "honor", "honour")
_CONSONANT_VOWELS = ("uni", "use", "eu", "one", "once", "ut", "ur")


@lru_cache(maxsize=1 << 14)
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
