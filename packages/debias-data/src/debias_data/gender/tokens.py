r"""A text as words with what stands between them; protected spans never become words.

Protected are LaTeX, code, URLs and the like (see `protected`): they come back byte for byte. The
prose inside `\text{…}` of a formula is prose again.

Several ways lead to the same words, the fastest first: plain prose is split at once; so is a text
whose protected spans begin with a sign or a line, after they are covered; with prose inside of its
formulas it is cut at the spans; and where spans can begin with a letter (`f(x)`, `a_b`, URLs) words
and spans are found by one pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from debias_data.gender.protected import (
    has_line,
    has_sign,
    pattern_of,
    possible_kinds,
    starts_a_word,
    without_lines,
)

# A protected span in a gap reads as this character, the edge of \text{…} as the next.
PROTECTED: Final = "\x00"
EDGE: Final = "\x01"
# Covers the rest of a protected span, so that a covered text is as long as the text.
_COVER: Final = "\x02"

_TAIL: Final = r"[\w\u0300-\u036f]"
_WORD: Final = rf"[^\W_]{_TAIL}*(?:[-'’](?=[^\W\d_]){_TAIL}+)*"
_FIND_WORDS: Final = re.compile(_WORD).findall
# In ASCII, `-` and `'` join words only between a letter or digit and a letter; all else that is no
# letter and no digit parts them. (`_` does neither: it makes a protected span.)
_PARTING_JOINERS: Final = re.compile(r"['-](?:(?![A-Za-z])|(?<![0-9A-Za-z].))", re.DOTALL)
_ONLY_WORDS: Final = bytes(
    code if code < 128 and (chr(code).isalnum() or chr(code) in "-'") else ord(" ")
    for code in range(256)
)
_TEXT_COMMAND: Final = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mbox|emph)\s*\{"
)


class Document:
    """The words of a text in order, with gaps before, between and after them.

    Attributes:
        text: the text.
        words: as they stand in it.
    """

    __slots__ = ("_has_typographic", "_places", "text", "words")

    def __init__(self, text: str, words: list[str], places: _Places) -> None:
        """Wrap the words of `text`, which stand at `places`."""
        self.text, self.words, self._places = text, words, places
        self._has_typographic = "’" in text

    @property
    def starts(self) -> list[int]:
        """Character offsets of the words; worked out when asked for, since most are not."""
        return self._places.starts()

    def with_words(self, changed: Mapping[int, str], text: str) -> Document:
        """The words of `text`, in which only the words at these indices are other ones."""
        if isinstance(self._places, _Cut):
            return tokenize(text)
        words = self.words.copy()
        for index, word in changed.items():
            words[index] = word
        return Document(text, words, _Moved(words, self))

    def lower(self, index: int) -> str:
        """The word at `index` in lower case, `’` made plain, or nothing beyond the ends."""
        if not 0 <= index < len(self.words):
            return ""
        word = self.words[index].lower()
        return word.replace("’", "'") if self._has_typographic else word

    def word(self, index: int) -> str:
        """The word at `index`, or nothing beyond the ends."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def gap_before(self, index: int) -> str:
        """What stands between the word at `index` and the one before; the edges count as words."""
        return self._places.gap_before(index)

    def gap_after(self, index: int) -> str:
        """What stands between the word at `index` and the next one."""
        return self._places.gap_before(index + 1)


class _Places:
    """Where the words of a text stand, and what stands between them."""

    def starts(self) -> list[int]:
        """Character offsets of the words."""
        raise NotImplementedError

    def gap_before(self, index: int) -> str:
        """The gap before a word, or behind the last."""
        raise NotImplementedError


class _Cut(_Places):
    """Known from cutting the text at its protected spans: one gap more than words."""

    def __init__(self, starts: list[int], gaps: list[str]) -> None:
        self._starts, self._gaps = starts, gaps

    def starts(self) -> list[int]:
        return self._starts

    def gap_before(self, index: int) -> str:
        return self._gaps[index]


class _Sought(_Places):
    """Found when they are asked for first."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._starts: list[int] | None = None

    def starts(self) -> list[int]:
        if self._starts is None:
            self._starts = self._found()
        return self._starts

    def _found(self) -> list[int]:
        raise NotImplementedError


class _Covered(_Sought):
    """Found in the text, in which protected spans are covered."""

    def __init__(self, words: list[str], covered: str) -> None:
        super().__init__(words)
        self._text = covered

    def _found(self) -> list[int]:
        # What is between two words has no letter or digit, so that a word is found where it is.
        starts: list[int] = []
        find, add = self._text.find, starts.append
        position = 0
        for word in self._words:
            position = find(word, position)
            add(position)
            position += len(word)
        return starts

    def gap_before(self, index: int) -> str:
        words, starts = self._words, self.starts()
        first = starts[index - 1] + len(words[index - 1]) if index else 0
        last = starts[index] if index < len(words) else len(self._text)
        gap = self._text[first:last]
        return gap.replace(_COVER, "") if _COVER in gap else gap


class _Spaced(_Covered):
    """Counted where all that is no word is spaces, and most words have one between them."""

    def __init__(self, words: list[str], covered: str, spaced: str) -> None:
        super().__init__(words, covered)
        self._spaced = spaced

    def _found(self) -> list[int]:
        starts: list[int] = []
        spaced, add = self._spaced, starts.append
        position = 0
        for word in self._words:
            if spaced[position] == " ":
                position += 1
                if spaced[position] == " ":
                    position = spaced.find(word, position)
            add(position)
            position += len(word) + 1
        return starts


class _Moved(_Sought):
    """Those of another text with the same gaps, some of whose words are shorter or longer."""

    def __init__(self, words: list[str], origin: Document) -> None:
        super().__init__(words)
        self._origin = origin

    def _found(self) -> list[int]:
        starts: list[int] = []
        moved = 0
        origin = self._origin
        for start, before, word in zip(origin.starts, origin.words, self._words, strict=True):
            starts.append(start + moved)
            moved += len(word) - len(before)
        return starts

    def gap_before(self, index: int) -> str:
        return self._origin.gap_before(index)


def tokenize(text: str) -> Document:
    """The words of `text` outside protected spans, with the gaps between them."""
    if not has_sign(text):
        return _plain(text, text)
    all_kinds = possible_kinds(text)
    kinds = all_kinds if has_line(text) else without_lines(all_kinds)
    if not starts_a_word(kinds) and not ("\\" in text and _TEXT_COMMAND.search(text)):
        return _plain(text, pattern_of(kinds).sub(_cover, text) if kinds else text)
    cutter = _Cutter(text, all_kinds)
    cutter.add(0, len(text), kinds)
    return Document(text, cutter.words, _Cut(cutter.starts, [*cutter.gaps, cutter.gap]))


def _plain(text: str, covered: str) -> Document:
    """The words of a text that is split as it is, once its protected spans are covered."""
    if not covered.isascii():
        words = _FIND_WORDS(covered)
        return Document(text, words, _Covered(words, covered))
    spaced = _spaced(covered)
    words = spaced.split()
    return Document(text, words, _Spaced(words, covered, spaced))


def _spaced(text: str) -> str:
    """An ASCII text without `_`, with spaces for all that is no word."""
    if "'" in text or "-" in text:
        text = _PARTING_JOINERS.sub(" ", text)
    return text.encode("ascii").translate(_ONLY_WORDS).decode("ascii")


def _cover(span: re.Match[str]) -> str:
    start, end = span.span()
    return PROTECTED + _COVER * (end - start - 1)


class _Cutter:
    """Collects words around protected spans; `gap` is what stands after the last word so far."""

    def __init__(self, text: str, kinds: int) -> None:
        self.text, self.kinds = text, kinds
        self.words: list[str] = []
        self.gaps: list[str] = []
        self.starts: list[int] = []
        self.gap = ""

    def add(self, start: int, end: int, kinds: int) -> None:
        """Add what is between two offsets, in which spans of `kinds` can be."""
        if starts_a_word(kinds):
            self._add_by_pattern(start, end, kinds)
        else:
            self._add_by_cutting(start, end, kinds)

    def _add_by_cutting(self, start: int, end: int, kinds: int) -> None:
        position = start
        if kinds:
            for match in pattern_of(kinds).finditer(self.text, start, end):
                first, last = match.span()
                self._add_plain(position, first)
                self._add_protected(first, last)
                position = last
        self._add_plain(position, end)

    def _add_by_pattern(self, start: int, end: int, kinds: int) -> None:
        position = start
        for match in pattern_of(kinds, _WORD).finditer(self.text, start, end):
            first, last = match.span()
            self.gap += self.text[position:first]
            position = last
            if match.lastgroup == "word":
                self.gaps.append(self.gap)
                self.words.append(self.text[first:last])
                self.starts.append(first)
                self.gap = ""
            else:
                self._add_protected(first, last)
        self.gap += self.text[position:end]

    def _add_plain(self, start: int, end: int) -> None:
        text = self.text[start:end]
        piece = _plain(text, text)
        for index, first in enumerate(piece.starts):
            self.gaps.append(self.gap + piece.gap_before(index))
            self.starts.append(start + first)
            self.gap = ""
        self.words += piece.words
        self.gap += piece.gap_before(len(piece.words))

    def _add_protected(self, start: int, end: int) -> None:
        r"""Add a protected span: one character of the gap, but for the prose in its `\text{}`."""
        text = self.text
        self.gap += PROTECTED
        if text[start] not in "$\\":
            return
        position = start
        while match := _TEXT_COMMAND.search(text, position, end):
            close = _matching_brace(text, match.end(), end)
            self.gap += EDGE
            self.add(match.end(), close, self.kinds)
            self.gap += EDGE
            position = max(close, match.end())


def _matching_brace(text: str, start: int, end: int) -> int:
    depth = 1
    for position in range(start, end):
        if text[position] == "{" and text[position - 1] != "\\":
            depth += 1
        elif text[position] == "}" and text[position - 1] != "\\":
            depth -= 1
            if not depth:
                return position
    return end
