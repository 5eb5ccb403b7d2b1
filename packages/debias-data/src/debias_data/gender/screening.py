"""Whether anything can be found in a text at all: asked before it is cut into words.

All that is looked for - gendered forms, given names, predicates bound to one sex, last names of
real persons - has a run of letters that the text must have too. Runs of letters are cut out of
bytes, many times faster than words out of text, and most texts have none of those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from debias_data.gender.lexicon import lexicon
from debias_data.gender.names import name_table
from debias_data.gender.refusals import is_of_sex_bound, last_names
from debias_data.remembering import Remembered

_LETTERS: Final = re.compile("[a-z]+")
_BOUND_BEHIND_A_HYPHEN: Final = "section"  # c-section: what is in it counts with its hyphen only
# All that is no letter becomes a space.
_ONLY_LETTERS: Final = bytes(
    code if chr(code).isalpha() and code < 128 else ord(" ") for code in range(256)
)


def may_be_found(text: str) -> bool:
    """False only where no word of `text` is anything; true of some texts where none is, too."""
    if not text.isascii():
        return True
    return any(map(_lookup(), text.encode("ascii").translate(_ONLY_LETTERS).split()))


@cache
def _lookup() -> Callable[[bytes], bool]:
    return Remembered(_may_be_something).__getitem__


def _may_be_something(letters: bytes) -> bool:
    run = letters.decode("ascii")
    lower = run.lower()
    if lower in _runs_of_forms() or (run[0].isupper() and lower in _runs_of_names()):
        return True
    return is_of_sex_bound(lower) or lower == _BOUND_BEHIND_A_HYPHEN


@cache
def _runs_of_forms() -> frozenset[str]:
    return _longest_runs(lexicon())


@cache
def _runs_of_names() -> frozenset[str]:
    """Of given names and of the last names of real persons, who are known by a capital letter."""
    return _longest_runs((*map(str.lower, name_table()), *last_names()))


def _longest_runs(words: Iterable[str]) -> frozenset[str]:
    runs = map(_LETTERS.findall, words)
    return frozenset(max(found, key=len) for found in runs if found)
