r"""Which parts of a text are protected: LaTeX, code, URLs and the like.

A span is protected by one of the patterns below. Each has a cheap test that every text with such a
span passes, so that a text is searched with few patterns, most often with none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

_ENVIRONMENTS_OF_PROSE: Final = (
    r"(?!(?:itemize|enumerate|description|center|quote|quotation|document|flushleft|flushright|"
    r"minipage|flushleft|theorem|proof|problem|solution)\b)"
)
_EXTENSION: Final = r"\.(?:py|txt|csv|json|com|org|net|edu|jpg|png|html|java|cpp|exe|pdf|md)\b"
_EXTENSIONS: Final = re.compile(_EXTENSION)
_HASH: Final = re.compile(r"#(?<!\w#)\w")
_CALL: Final = re.compile(r"\((?<=\w\()")
_LETTERS_AROUND_A_DOT: Final = re.compile(r"\.(?<=[a-z]\.)[a-z]")
_CODE: Final = ("import", "from", ">>>")
_CODE_ON_A_LINE: Final = re.compile(r"\n\s*(?:import|from|>>>)")


class _Kind(NamedTuple):
    """One kind of protected span.

    Attributes:
        sign: what every text with one of them has: one of these parts, a pattern that is found in
            it, or nothing in particular. A part is found many times faster than a pattern.
        pattern: of the span.
        starts_a_line, starts_a_word: where it can begin; all others begin with a sign.
    """

    sign: tuple[str, ...] | re.Pattern[str]
    pattern: str
    starts_a_line: bool = False
    starts_a_word: bool = False


# In the order in which they are tried.
_KINDS: Final = (
    _Kind(("`",), r"```.*?(?:```|\Z) | ``[^\n]+?`` | `[^`\n]+`"),
    _Kind(("~~~",), r"~~~.*?(?:~~~|\Z)"),
    _Kind(("[asy]",), r"\[asy\].*?(?:\[/asy\]|\Z)"),
    _Kind(
        ("\\",),
        rf"""\\\[.*?\\\] | \\\(.*?\\\)
           | \\begin\{{(?P<environment>{_ENVIRONMENTS_OF_PROSE}[A-Za-z]+\*?)\}}.*?
                 (?:\\end\{{(?P=environment)\}}|\Z)""",
    ),
    _Kind(
        ("$",),
        r"""\$\$.+?\$\$
          | \$(?=[^\s$])(?!\d[\d,.]*(?:\s|[^\w\s$\\]*\s+[a-z]{2,}[\s,.;:]))
                [^$\\]*+(?:\\.[^$\\]*+)*+(?<!\s)\$(?!\d)
          | \$(?=[ ])(?=(?:[^$\\]|\\.)*?\\[A-Za-z]|(?![^$]*[a-z]{2,}\s+[a-z]{2,}\s))
                (?:[^$\\]|\\.){1,300}?\$(?!\d)""",
    ),
    _Kind(("<<",), r"<<[^<>\n]*>>"),
    _Kind(
        ("://", "www."),
        r"""(?:https?|ftp|file)://[^\s<>"]+ | www\.[^\s<>"]+""",
        starts_a_word=True,
    ),
    _Kind(("@",), r"[\w.+-]+@[\w-]+\.[\w.-]*\w", starts_a_word=True),
    _Kind(("@",), r"@(?<!\w@)\w+"),
    _Kind(_HASH, r"\#(?<!\w\#)\w+"),
    _Kind(
        ("\\",),
        r"""\\(?:label|ref|eqref|cite|url|href|includegraphics|begin|end|input|include|usepackage
              |documentclass|bibliography)\*?(?:\[[^\]\n]*\])?\{[^{}\n]*\}
          | \\[A-Za-z]+\*? | \\.""",
    ),
    _Kind(("<",), r"</?[A-Za-z][^<>\n]*>"),
    _Kind(
        (),
        r"""^[ \t]*(?:def\s+\w+\s*\( | class\s+\w+\s*[:(] | >>> | \#include\b)[^\n]*$
          | ^[ \t]*(?:import|from)\s+[\w.]+(?:\s+import\b[^\n]*|\s+as\s+\w+)?[ \t]*$
          | ^[ \t]+(?:return|yield|raise|assert|elif|print)\b[^\n]*$""",
        starts_a_line=True,
    ),
    _Kind(
        (),
        r"^[ \t]*[A-Za-z_][\w.]*[ ]*[-+*/%]?=[ ]*(?![^\n]*[A-Za-z]+[ ][A-Za-z]+)[^\n=]*$",
        starts_a_line=True,
    ),
    _Kind(
        _CALL,
        r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\((?!(?:s|es|ren|he|she)\))[^()\s/]*(?:,\s?[^()\s/]*)*\)",
        starts_a_word=True,
    ),
    _Kind(
        _EXTENSIONS,
        rf"\w+(?:\.\w+)*{_EXTENSION}",
        starts_a_word=True,
    ),
    _Kind(("_",), r"(?:\w*_\w+|\w+_)", starts_a_word=True),
)
_FLAGS: Final = re.VERBOSE | re.DOTALL | re.MULTILINE
_BITS: Final = tuple((kind.sign, 1 << number) for number, kind in enumerate(_KINDS))
_SIGNS: Final = tuple(
    (part[0], part, bit) for sign, bit in _BITS if isinstance(sign, tuple) for part in sign
)
_SIGN_PATTERNS: Final = tuple((sign, bit) for sign, bit in _BITS if isinstance(sign, re.Pattern))
_STARTS_A_LINE: Final = sum(1 << number for number, kind in enumerate(_KINDS) if kind.starts_a_line)
_STARTS_A_WORD: Final = sum(1 << number for number, kind in enumerate(_KINDS) if kind.starts_a_word)


def has_sign(text: str) -> bool:
    """Whether anything in `text` looks like more than prose; most word problems have nothing.

    One character is found many times faster than several, and is asked for first.
    """
    if "$" in text or "=" in text or "<" in text or "\\" in text or "`" in text or "{" in text:
        return True
    if "_" in text or "@" in text or "www." in text or _LETTERS_AROUND_A_DOT.search(text):
        return True
    if (
        ("[" in text and "[asy" in text)
        or ("~" in text and "~~~" in text)
        or (":" in text and "://" in text)
        or ("(" in text and _CALL.search(text))
    ):
        return True
    if text.lstrip().startswith(_CODE):
        return True
    return "\n" in text and _CODE_ON_A_LINE.search(text) is not None


def possible_kinds(text: str) -> int:
    """The kinds of protected spans that a text with a sign may have, as a bit mask."""
    kinds = _STARTS_A_LINE
    for first, sign, bit in _SIGNS:
        if first in text and sign in text:
            kinds |= bit
    for pattern, bit in _SIGN_PATTERNS:
        if pattern.search(text):
            kinds |= bit
    return kinds


def has_line(text: str) -> bool:
    """Whether any line of `text`, taken alone, is a protected span."""
    first, others = _line_patterns()
    return first.match(text) is not None or ("\n" in text and others.search(text) is not None)


def without_lines(kinds: int) -> int:
    """`kinds` without those that begin with a line."""
    return kinds & ~_STARTS_A_LINE


def starts_a_word(kinds: int) -> bool:
    """Whether a span of these kinds can begin with a letter or digit."""
    return bool(kinds & _STARTS_A_WORD)


@cache
def pattern_of(kinds: int, word: str | None = None) -> re.Pattern[str]:
    """The spans of these kinds; with `word`, words are found too, as the group `word`."""
    source = "|".join(_patterns(kinds))
    if word is not None:
        source = f"(?P<protected>{source})|(?P<word>{word})"
    return re.compile(source, _FLAGS)


@cache
def _line_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    source = "|".join(_patterns(_STARTS_A_LINE))
    return re.compile(source, _FLAGS), re.compile(rf"\n(?:{source})", _FLAGS)


def _patterns(kinds: int) -> list[str]:
    return [kind.pattern for number, kind in enumerate(_KINDS) if kinds >> number & 1]
