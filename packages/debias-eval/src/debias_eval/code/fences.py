"""Fenced code blocks of Markdown text."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
_PYTHON_NAMES = frozenset({"python", "python3", "py", "py3"})


class Block(NamedTuple):
    """One fenced block: its language label, lower case, and its text."""

    language: str
    code: str

    @property
    def is_python(self) -> bool:
        """Whether the label says Python."""
        return self.language in _PYTHON_NAMES


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of `text` in order; one that is never closed runs to the end."""
    blocks = []
    opening: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opening is None:
            opening = match
        elif match[1].startswith(opening[1]) and not match[2]:
            blocks.append(_block(opening, text[opening.end() + 1 : match.start()]))
            opening = None
    if opening is not None:
        blocks.append(_block(opening, text[opening.end() + 1 :]))
    return blocks


def last_fenced_block(text: str) -> str:
    """Return the code of the last fenced block, empty if there is none (LiveCodeBench's rule)."""
    blocks = fenced_blocks(text)
    return blocks[-1].code if blocks else ""


def _block(opening: re.Match[str], code: str) -> Block:
    return Block(opening[2].lower(), code)
