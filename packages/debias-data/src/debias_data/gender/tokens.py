r"""A text as words with what stands between them; protected spans never become words.

Protected are LaTeX, code, URLs and the like: they come back byte for byte. The prose inside
`\text{…}` of a formula is prose again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import overload

# A protected span in a gap reads as this character, the edge of \text{…} as the next.
PROTECTED = "\x00"
EDGE = "\x01"

_WORD = r"[^\W_](?:[\w\u0300-\u036f]|[-'’](?=[^\W\d_]))*"
_PLAIN = re.compile(_WORD)
_SPECIAL = re.compile(
    r"[$\\`@<_{=]|\[asy|~~~|://|www\.|[a-z]\.[a-z]|\w\(|^\s*(?:import|from|>>>)", re.MULTILINE
)

_ENVIRONMENTS_OF_PROSE = (
    r"(?!(?:itemize|enumerate|description|center|quote|quotation|document|flushleft|flushright|"
    r"minipage|flushleft|theorem|proof|problem|solution)\b)"
)
_FULL = re.compile(
    rf"""
    (?P<protected>
        ```.*?(?:```|\Z) | ~~~.*?(?:~~~|\Z)
      | ``[^\n]+?`` | `[^`\n]+`
      | \[asy\].*?(?:\[/asy\]|\Z)
      | \\\[.*?\\\] | \\\(.*?\\\)
      | \\begin\{{(?P<environment>{_ENVIRONMENTS_OF_PROSE}[A-Za-z]+\*?)\}}.*?
            (?:\\end\{{(?P=environment)\}}|\Z)
      | \$\$.+?\$\$
      | \$(?=[^\s$])(?!\d[\d,.]*(?:\s|[^\w\s$\\]*\s+[a-z]{{2,}}[\s,.;:]))
            (?:[^$\\]|\\.)*?(?<!\s)\$(?!\d)
      | \$(?=[ ])(?=(?:[^$\\]|\\.)*?\\[A-Za-z]|(?![^$]*[a-z]{{2,}}\s+[a-z]{{2,}}\s))
            (?:[^$\\]|\\.){{1,300}}?\$(?!\d)
      | <<[^<>\n]*>>
      | (?:https?|ftp|file)://[^\s<>"]+ | www\.[^\s<>"]+
      | [\w.+-]+@[\w-]+\.[\w.-]*\w | (?<!\w)[@\#]\w+
      | \\(?:label|ref|eqref|cite|url|href|includegraphics|begin|end|input|include|usepackage
            |documentclass|bibliography)\*?(?:\[[^\]\n]*\])?\{{[^{{}}\n]*\}}
      | \\[A-Za-z]+\*? | \\.
      | </?[A-Za-z][^<>\n]*>
      | ^[ \t]*(?:def\s+\w+\s*\( | class\s+\w+\s*[:(] | >>> | \#include\b)[^\n]*$
      | ^[ \t]*(?:import|from)\s+[\w.]+(?:\s+import\b[^\n]*|\s+as\s+\w+)?[ \t]*$
      | ^[ \t]+(?:return|yield|raise|assert|elif|print)\b[^\n]*$
      | ^[ \t]*[A-Za-z_][\w.]*[ ]*[-+*/%]?=[ ]*(?![^\n]*[A-Za-z]+[ ][A-Za-z]+)[^\n=]*$
      | [^\W\d]\w*(?:\.[^\W\d]\w*)*\((?!(?:s|es|ren|he|she)\))[^()\s/]*(?:,\s?[^()\s/]*)*\)
      | \w+(?:\.\w+)*\.(?:py|txt|csv|json|com|org|net|edu|jpg|png|html|java|cpp|exe|pdf|md)\b
      | (?:\w*_\w+|\w+_)
    )
  | (?P<word>{_WORD})
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mbox|emph)\s*\{")


@dataclass(slots=True)
class Document:
    """The words of a text in order.

    Attributes:
        words: as they stand in the text.
        lowers: the same in lower case, typographic apostrophes made plain.
        starts, ends: character offsets.
        gaps: `gaps[i]` stands before word i; the last one is after the last word.
    """

    text: str
    words: list[str] = field(default_factory=list)
    lowers: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    gaps: Sequence[str] = ()

    def lower(self, index: int) -> str:
        """The word at `index` in lower case, or nothing beyond the ends."""
        return self.lowers[index] if 0 <= index < len(self.lowers) else ""

    def word(self, index: int) -> str:
        """The word at `index`, or nothing beyond the ends."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def gap_after(self, index: int) -> str:
        """What stands between the word at `index` and the next one."""
        return self.gaps[index + 1]


def tokenize(text: str) -> Document:
    """The words of `text` outside protected spans, with the gaps between them."""
    document = Document(text)
    if _SPECIAL.search(text) is None:
        _add_plain(document)
    else:
        gaps: list[str] = []
        gap = _add_words(document, gaps, (0, len(text)), "")
        document.gaps = [*gaps, gap]
    document.lowers = [word.lower() for word in document.words]
    if "’" in text:
        document.lowers = [word.replace("’", "'") for word in document.lowers]
    return document


class _Gaps(Sequence[str]):
    """The gaps of a text without protected spans, cut out when they are asked for."""

    __slots__ = ("_ends", "_starts", "_text")

    def __init__(self, text: str, starts: list[int], ends: list[int]) -> None:
        self._text, self._starts, self._ends = text, starts, ends

    def __len__(self) -> int:
        return len(self._starts) + 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0 or index > len(self._starts):
            raise IndexError(index)
        start = self._ends[index - 1] if index else 0
        end = self._starts[index] if index < len(self._starts) else len(self._text)
        return self._text[start:end]


def _add_plain(document: Document) -> None:
    text = document.text
    spans = [match.span() for match in _PLAIN.finditer(text)]
    document.words = [text[start:end] for start, end in spans]
    document.starts = [start for start, _ in spans]
    document.ends = [end for _, end in spans]
    document.gaps = _Gaps(text, document.starts, document.ends)


def _add_words(document: Document, gaps: list[str], span: tuple[int, int], gap: str) -> str:
    text, (start, end) = document.text, span
    position = start
    for match in _FULL.finditer(text, start, end):
        first, last = match.span()
        gap += text[position:first]
        position = last
        if match.lastgroup == "word":
            gaps.append(gap)
            document.words.append(text[first:last])
            document.starts.append(first)
            document.ends.append(last)
            gap = ""
        else:
            gap = _add_prose_inside(document, gaps, (first, last), gap + PROTECTED)
    return gap + text[position:end]


def _add_prose_inside(document: Document, gaps: list[str], span: tuple[int, int], gap: str) -> str:
    text, (start, end) = document.text, span
    if text[start] not in "$\\":
        return gap
    position = start
    while match := _TEXT_COMMAND.search(text, position, end):
        close = _matching_brace(text, match.end(), end)
        gap = _add_words(document, gaps, (match.end(), close), gap + EDGE) + EDGE
        position = max(close, match.end())
    return gap


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
