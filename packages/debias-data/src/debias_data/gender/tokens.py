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
from itertools import accumulate

from debias_data.gender.protected import (
    has_line,
    has_sign,
    pattern_of,
    possible_kinds,
    starts_a_word,
    without_lines,
)

# A protected span in a gap reads as this character, the edge of \text{…} as the next.
PROTECTED = "\x00"
EDGE = "\x01"
# Covers the rest of a protected span, so that a covered text is as long as the text.
_COVER = "\x02"

_TAIL = r"[\w\u0300-\u036f]"
_WORD = rf"[^\W_]{_TAIL}*(?:[-'’](?=[^\W\d_]){_TAIL}+)*"
_SPLIT = re.compile(f"({_WORD})")
# The same on ASCII: a set of characters is tested faster than a property.
_SPLIT_ASCII = re.compile(r"([0-9A-Za-z][0-9A-Za-z_]*(?:[-'](?=[A-Za-z])[0-9A-Za-z_]+)*)")
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mbox|emph)\s*\{")


class Document:
    """The words of a text in order.

    Attributes:
        text: the text.
        words: as they stand in it.
        gaps: `gaps[i]` stands before word i; the last one is after the last word.
    """

    __slots__ = ("_has_typographic", "_parts", "_starts", "gaps", "text", "words")

    def __init__(
        self,
        text: str,
        words: list[str],
        gaps: list[str],
        *,
        parts: list[str] | None = None,
        starts: list[int] | None = None,
    ) -> None:
        """Wrap the words of `text`; where they stand is known, or follows from `parts`.

        Args:
            text: the text.
            words: its words.
            gaps: one more than words.
            parts: a gap, a word, a gap … of the lengths that they have in the text.
            starts: offsets of the words.
        """
        self.text, self.words, self.gaps = text, words, gaps
        self._parts, self._starts = parts, starts
        self._has_typographic = "’" in text

    @property
    def starts(self) -> list[int]:
        """Character offsets of the words; worked out when asked for, since most are not."""
        starts = self._starts
        if starts is None:
            starts = self._starts = list(accumulate(map(len, self._parts or ())))[::2]
        return starts

    def with_words(self, changed: Mapping[int, str], text: str) -> Document:
        """The words of `text`, in which only the words at these indices are other ones."""
        if self._parts is None:
            return tokenize(text)
        words, parts = self.words.copy(), self._parts.copy()
        for index, word in changed.items():
            words[index] = parts[2 * index + 1] = word
        return Document(text, words, self.gaps, parts=parts)

    def lower(self, index: int) -> str:
        """The word at `index` in lower case, `’` made plain, or nothing beyond the ends."""
        if not 0 <= index < len(self.words):
            return ""
        word = self.words[index].lower()
        return word.replace("’", "'") if self._has_typographic else word

    def word(self, index: int) -> str:
        """The word at `index`, or nothing beyond the ends."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def gap_after(self, index: int) -> str:
        """What stands between the word at `index` and the next one."""
        return self.gaps[index + 1]


def tokenize(text: str) -> Document:
    """The words of `text` outside protected spans, with the gaps between them."""
    if not has_sign(text):
        parts = _splitter(text).split(text)
        return Document(text, parts[1::2], parts[::2], parts=parts)
    all_kinds = possible_kinds(text)
    kinds = all_kinds if has_line(text) else without_lines(all_kinds)
    if not starts_a_word(kinds) and not ("\\" in text and _TEXT_COMMAND.search(text)):
        covered = pattern_of(kinds).sub(_cover, text) if kinds else text
        parts = _splitter(covered).split(covered)
        gaps = [gap.replace(_COVER, "") if _COVER in gap else gap for gap in parts[::2]]
        return Document(text, parts[1::2], gaps, parts=parts)
    cutter = _Cutter(text, all_kinds)
    cutter.add(0, len(text), kinds)
    return Document(text, cutter.words, [*cutter.gaps, cutter.gap], starts=cutter.starts)


def _cover(span: re.Match[str]) -> str:
    start, end = span.span()
    return PROTECTED + _COVER * (end - start - 1)


def _splitter(text: str) -> re.Pattern[str]:
    return _SPLIT_ASCII if text.isascii() else _SPLIT


class _Cutter:
    """Collects words around protected spans; `gap` is what stands after the last word so far."""

    def __init__(self, text: str, kinds: int) -> None:
        self.text, self.kinds = text, kinds
        self.words: list[str] = []
        self.gaps: list[str] = []
        self.starts: list[int] = []
        self.gap = ""
        self._split = _splitter(text).split

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
        parts = self._split(self.text[start:end])
        if len(parts) == 1:
            self.gap += parts[0]
            return
        self.gaps.append(self.gap + parts[0])
        self.gaps += parts[2:-1:2]
        self.gap = parts[-1]
        self.words += parts[1::2]
        self.starts += list(accumulate(map(len, parts), initial=start))[1:-1:2]

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
