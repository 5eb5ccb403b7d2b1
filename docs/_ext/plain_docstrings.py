"""Reads docstrings as they are written: one backtick or two, both mean code; |x| is a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CODE = re.compile(r"(``[^`]+``|(?<![`:\w])`[^`\n]+(?:\n[^`\n]+)?`(?![`_]))")
_MARKUP = re.compile(r"\||(?<![\w*])\*(?=,)|\*\*(?=\w)")


def as_restructured_text(text: str) -> str:
    """Turns `code` into ``code``; bars and the stars of a signature are no markup."""
    parts = _CODE.split(text)
    parts[::2] = [
        _MARKUP.sub(lambda found: "".join(f"\\{c}" for c in found[0]), part) for part in parts[::2]
    ]
    parts[1::2] = [f"``{' '.join(part.strip('`').split())}``" for part in parts[1::2]]
    return "".join(parts)


def _on_docstring(_app: Sphinx, *event: object) -> None:
    lines = event[-1]
    assert isinstance(lines, list)
    lines[:] = as_restructured_text("\n".join(lines)).split("\n")


def _on_member(_app: Sphinx, *event: object) -> bool | None:
    """Leaves out the fields of named tuples, which the class's docstring describes."""
    member = event[2]
    is_field = (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
    return True if is_field else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Hooks in before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _on_docstring, priority=100)
    app.connect("autodoc-skip-member", _on_member)
    return {"parallel_read_safe": True}
