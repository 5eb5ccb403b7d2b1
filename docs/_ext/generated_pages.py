"""Fills the pages that are made from the code: `<!-- generated: NAME -->` becomes Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import command_page
import configuration_page

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGES: dict[str, Callable[[], str]] = {
    "configuration": configuration_page.page,
    "commands": command_page.page,
}

_PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def _on_source(_app: Sphinx, _name: str, source: list[str]) -> None:
    source[0] = _PLACE.sub(lambda found: PAGES[found[1]](), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Hooks in before a page is parsed."""
    app.connect("source-read", _on_source)
    return {"parallel_read_safe": True}
