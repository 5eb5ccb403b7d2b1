"""The answer that a response gives: the last box, ``#### x``, "the answer is …", or what is left.

Everything is found by scanning or by patterns without nested repetition, so that the time is
linear in the response's length whatever stands in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from debias_eval.grading.limits import MAX_RESPONSE_CHARS
from debias_eval.grading.units import is_unit_word

How = Literal["box", "hashes", "phrase", "whole", "math", "number"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer's text as it is written, and where it was found."""

    text: str
    how: How


_BOX = re.compile(r"\\?(?:begin)?(?:boxed|fbox|framebox)(?![A-Za-z])\s*")
_HASHES = re.compile(r"####[ \t]*([^\n]*)")
_PHRASE = re.compile(
    r"(?:\*\*)?\b(?:(?:final\s+)?answers?\b(?:\s+(?:choice|to\s+(?:the|this)\s+\w+))?\s*(?:\*\*)?\s*(?:(?:is|are)\b(?:\s+(?:therefore|thus|then|given\s+by|equal\s+to))?\s*:?|:|=)|答案(?:是|为|：|:))(?:\s*\*\*)?",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\(?\**([A-Z])\**\)?(?:[.:]|\s+(?:because|since|as|which)\b|$)|\(([A-Z])\)\s+(?!and\b|or\b)[a-z]"
)
_SENTENCE = re.compile(r"^(?:[A-Za-z']+[\s,]+){2,}[A-Za-z']+\.$")
_LABEL = re.compile(r"^\**[A-Za-z]{3,}(?: [A-Za-z]+){0,3}\**:\**\s+(?=\S)")
_HOPE = re.compile(r"\.?\s*I hope (?:it|this) is correct.*", re.IGNORECASE | re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[^\s.])\.(?:\s+(?=[A-Z$\\])|\s*$)|\n\s*\n")
_MATH = re.compile(
    r"\$\$(?P<display>(?:[^$]|\\\$)+?)\$\$|(?<!\\)\$(?P<inline>(?:\\\$|[^$])+?)(?<!\\)\$"
    r"|\\\[(?P<bracket>.+?)\\\]|\\\((?P<paren>.+?)\\\)",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.\\])(?P<sign>-)?(?P<currency>[$€£¥]\s?)?(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:\s?/\s?\d+)?|\.\d+)"
    r"(?P<scale>\s(?:thousand|million|billion|trillion)\b)?(?P<percent>\s?(?:\\?%|per\s?cent(?:age)?\b|pct\b))?(?![0-9_#])"
)
_CODE = re.compile(
    r"(?<![\\A-Za-z])(?!(?:arc)?(?:sin|cos|tan|cot|sec|csc)|log|exp|sqrt|max|min|gcd|lcm|mod|abs|det|binom)"
    r"[A-Za-z_]{3,}\((?!s\))|"
    r"__\w|\w\(['\"]|['\"]\)|\bimport\b|\blambda\b|\.\w+\(|\\(?:input|write|include|def)\b"
)
_HEDGE = re.compile(r"\b(?:or|not|either|maybe)\s+(?:\S+\s+){0,1}\S*$", re.IGNORECASE)
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_INERT = re.compile(
    r"\\(?:text|mbox|textbf|mathrm|textrm|operatorname|begin|end|mathbf|mathbb)\s*\{[^{}]*\}|\\[A-Za-z]+"
)
_MATH_WORDS = frozenset({
    "and", "or", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "sqrt", "pi",
    "gcd", "lcm", "max", "min", "mod", "infinity", "inf", "oo", "abc", "abs",
    "thousand", "million", "billion", "trillion",
})  # fmt: skip
_VERB = re.compile(r"(?<![\\A-Za-z])(?:is|are|was|equals)\s+\S", re.IGNORECASE)
_MAX_SENTENCE = 500
_MAX_TAIL = 60
_TAIL_IS = re.compile(r"^.*\b(?:is|are|equals?|be)\b\s*:?\s*(?=\S)", re.IGNORECASE | re.DOTALL)
_AFTER_BOX = re.compile(r"\s*\$?\s*(\\?%|percent(?:age)?\b|pct\b)")


def extract_answer(response: str) -> Extracted | None:
    """The answer of a response or of a bare answer; None where there is none.

    The last box wins over everything; then the last ``####`` line; then the last "answer is" or
    "answer:"; a text without running words is an answer as a whole; of running text the last piece
    of mathematics or the last number counts, whichever stands later.
    """
    text = response[-MAX_RESPONSE_CHARS:]
    boxed = last_box(text)
    if boxed is not None:
        return Extracted(boxed, "box") if boxed else None
    hashes = _last(_HASHES, text)
    if hashes is not None:
        return Extracted(hashes[1].strip(), "hashes") if hashes[1].strip() else None
    phrase = _last(_PHRASE, text)
    if phrase is not None:
        found = _from_phrase(text[phrase.end() :])
        if found:
            return Extracted(found, "phrase")
    return _from_text(text)


def extract_reference(reference: str) -> str:
    """The answer of a reference: its last box, its last ``####`` line, or all of it."""
    boxed = last_box(reference)
    if boxed is not None:
        return boxed
    hashes = _last(_HASHES, reference)
    return hashes[1].strip() if hashes is not None else reference.strip()


def last_box(text: str) -> str | None:
    """The content of the last box, braces matched; None where there is no box.

    An unclosed box reaches to the end of its mathematics or line. A percent sign right behind the
    box belongs to the answer.
    """
    match = _last(_BOX, text)
    if match is None:
        return None
    start = match.end()
    if start < len(text) and text[start] == "{":
        end = _closing_brace(text, start)
        if end is not None:
            percent = _AFTER_BOX.match(text, end + 1)
            return text[start + 1 : end].strip() + (" \\%" if percent is not None else "")
        start += 1
    return re.split(r"(?<!\\)\$|\n|\\\]|\\\)", text[start:], maxsplit=1)[0].strip()


def _closing_brace(text: str, start: int) -> int | None:
    depth = 0
    escaped = False
    for at in range(start, len(text)):
        char = text[at]
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return at
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007 - the last match is wanted
        pass
    return found


def _from_phrase(rest: str) -> str | None:
    """The answer behind "the answer is": a sentence's worth of text."""
    rest = _HOPE.sub("", rest)
    sentence = _SENTENCE_END.split(rest.strip(), maxsplit=1)[0].strip().strip("*").strip()
    if not sentence:
        return None
    choice = _CHOICE.match(sentence)
    if choice is not None:
        return choice[1] or choice[2]
    if is_bare(sentence):
        return sentence
    tail = _TAIL_IS.sub("", sentence)
    if tail != sentence and is_bare(tail):
        return tail
    found = _from_prose(tail, first=True) or _from_prose(sentence, first=True)
    return found.text if found is not None else None


def _from_text(text: str) -> Extracted | None:
    stripped = text.strip() if _CODE.search(text) else _LABEL.sub("", text.strip())
    if not stripped:
        return None
    if is_bare(stripped):
        return Extracted(stripped, "whole")
    if _CODE.search(stripped):
        return None
    return _from_prose(stripped, first=False) or _from_last_words(stripped)


def _from_last_words(text: str) -> Extracted | None:
    """What a single sentence without numbers says that something is."""
    if len(text) > _MAX_SENTENCE:
        return None
    tail = _TAIL_IS.sub("", text)
    said = tail != text and "\n" not in text and not re.search(r"\d", text)
    short = len(tail) <= _MAX_TAIL and is_bare(tail)
    return Extracted(tail.rstrip("."), "phrase") if said and short else None


def is_bare(text: str) -> bool:
    """Whether a text is an answer as a whole rather than running words."""
    if len(text) > 2_000:
        return not re.search(
            r"[A-Za-z]{2,}\s+[A-Za-z]{2,}\s+[A-Za-z]{2,}", _INERT.sub(" ", text[:2_000])
        )
    if _CODE.search(text) or _SENTENCE.match(text):
        return False
    plain = _INERT.sub(" ", text)
    words = [
        w for w in _WORDS.findall(plain) if w.lower() not in _MATH_WORDS and not is_unit_word(w)
    ]
    long_words = [w for w in words if len(w) >= 3]
    if "$" in plain.replace("\\$", "") or "\\[" in text or "\\(" in text:
        outside = _INERT.sub(" ", _MATH.sub(" ", text))
        return not [
            w
            for w in _WORDS.findall(outside)
            if w.lower() not in _MATH_WORDS and not is_unit_word(w)
        ]
    if _VERB.search(plain):
        return False
    has_digit = any(c.isdigit() for c in plain)
    return len(long_words) <= (0 if has_digit else 2) or (len(long_words) <= 1 and not has_digit)


def _from_prose(text: str, *, first: bool) -> Extracted | None:
    """A piece of mathematics or a number in running text: the last one, or the first."""
    pieces = [(m.start(), _math_text(m), "math") for m in _MATH.finditer(text)]
    blank = _MATH.sub(lambda m: " " * len(m[0]), text)
    pieces += [(m.start(), m[0].strip(), "number") for m in _NUMBER.finditer(blank)]
    if not pieces:
        return None
    pieces.sort()
    start, answer, how = pieces[0] if first else pieces[-1]
    if how == "number" and not first and _HEDGE.search(text[:start]):
        return None
    return Extracted(answer, "math" if how == "math" else "number")


def _math_text(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()
