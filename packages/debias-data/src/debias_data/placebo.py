"""The placebo of a prompt: the same people under other given names of their own gender.

Female and male prompts differ in gender and in names; a prompt and its placebo differ in names
alone. What a model's answers differ by between those two is no effect of gender.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Container, Sequence
from functools import cache

from debias_data.gender.lexicon import lexicon
from debias_data.gender.names import lookup_form, name_table, ranked_names
from debias_data.gender.types import Gender, PlainSpan

_COMMON = 200  # names of a gender that come into question: the most common ones
_FEW = 20  # fewer of one length may all be in a text; then the length is let go


def placebo(text: str, spans: Sequence[tuple[int, int, str] | PlainSpan]) -> str | None:
    """`text` with every given name replaced by a common one of its gender, of equal length if any.

    Pronouns, titles and nouns stay. The same text always gives the same placebo.

    Args:
        text: a prompt.
        spans: its gender markers: start, end, text and what else there is.

    Returns:
        None where no marker is a given name, where one of the names stands beside the markers too
        (as a surname, in a place, in code) and would stay, or where the text has no name left over.
    """
    places = [(span[0], span[2]) for span in spans if _is_given_name(span[2])]
    if not places:
        return None
    others: dict[str, str] = {}
    for _, name in places:
        form = lookup_form(name)
        if form not in others:
            other = _other(form, text, taken=others.values())
            if other is None:
                return None
            others[form] = other
    parts, end = [], 0
    for start, name in places:
        other = others[lookup_form(name)]
        parts += [text[end:start], other.upper() if name.isupper() else other]
        end = start + len(name)
    renamed = "".join([*parts, text[end:]])
    return None if any(_still_names(name, renamed) for name in others) else renamed


def _is_given_name(marker: str) -> bool:
    return lookup_form(marker) in name_table() and marker.lower() not in lexicon()


def _other(name: str, text: str, *, taken: Container[str]) -> str | None:
    """A common name of the same gender that the text does not use, if there is one."""
    pool = _common_names(name_table()[name].gender, len(name))
    first = zlib.crc32(text.encode()) % len(pool)
    free = (other for other in pool[first:] + pool if other not in taken and other not in text)
    return next(free, None)


@cache
def _common_names(gender: Gender, length: int) -> tuple[str, ...]:
    """The common names of this length; all of them where there are few."""
    table = name_table()
    names = tuple(name for name in ranked_names(gender) if not table[name].is_word)[:_COMMON]
    alike = tuple(name for name in names if len(name) == length)
    return alike if len(alike) >= _FEW else names


def _still_names(name: str, text: str) -> bool:
    if name not in text and name.upper() not in text:
        return False
    return re.search(rf"\b(?:{re.escape(name)}|{re.escape(name.upper())})\b", text) is not None
