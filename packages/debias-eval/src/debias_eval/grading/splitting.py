"""Where a text may be cut: what lies outside all of its brackets."""

from __future__ import annotations

import re

_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")


def split_top(text: str, pattern: re.Pattern[str]) -> list[str]:
    """`text` split where `pattern` matches outside all brackets."""
    parts, start = [], 0
    for match in top_matches(text, pattern):
        parts.append(text[start : match.start()])
        start = match.end()
    parts.append(text[start:])
    return parts


def top_matches(text: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """The matches of `pattern` outside all brackets."""
    depths = _depths(text)
    return [m for m in pattern.finditer(text) if depths[m.start()] == 0 and m.end() > m.start()]


def _depths(text: str) -> list[int]:
    """Bracket depth at every character; environments count as brackets."""
    depths, depth = [], 0
    for at, char in enumerate(text):
        if char in _CLOSERS:
            depth = max(0, depth - 1)
        if text.startswith("\\end{", at):
            depth = max(0, depth - 1)
        depths.append(depth)
        if char in _OPENERS:
            depth += 1
        if text.startswith("\\begin{", at):
            depth += 1
    return depths


def balanced(text: str) -> bool:
    """Whether brackets (of any kind, so that [2,5) passes) never close more than was opened."""
    depth = 0
    for char in text:
        if char in _OPENERS:
            depth += 1
        elif char in _CLOSERS:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def strip_braces(text: str) -> str:
    """`text` without the braces that are around all of it."""
    while len(text) > 1 and text[0] == "{" and text[-1] == "}" and balanced(text[1:-1]):
        text = text[1:-1].strip()
    return text
