"""How large an answer may be before it is refused unread.

A grader meets text that a model wrote: towers of powers, a million digits, ten thousand brackets.
Everything here is checked before anything is evaluated, so that the cost of an answer is bounded
by its length; what passes and is still slow meets the time limits of `workers`.
"""

from __future__ import annotations

import re

MAX_RESPONSE_CHARS = 400_000
"""Longer responses are searched in their last part only: the answer stands at the end."""

MAX_ANSWER_CHARS = 3_000
"""An extracted answer longer than this is compared as text alone."""

MAX_DEPTH = 60
"""Nesting of brackets and braces; the parser recurses once a level."""

MAX_ITEMS = 100
"""Items of a list, set, tuple or matrix (unordered matching is quadratic)."""

MAX_BITS = 60_000
"""Size of an exact integer: 3,000! has 30,000 bits, 2^{2025} has 2,026."""

MAX_FACTORIAL = 3_000
MAX_DIGITS = 4_000
"""Digits of one written number: below Python's own limit for converting text to integers."""

_OPEN = frozenset("([{")
_CLOSE = frozenset(")]}")
_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")


class LimitExceededError(Exception):
    """An answer is too large to be evaluated."""


def check_answer_size(text: str) -> None:
    """Raise `LimitExceededError` where `text` is too long or nested too deeply to be parsed."""
    if len(text) > MAX_ANSWER_CHARS:
        raise LimitExceededError(f"{len(text)} characters, at most {MAX_ANSWER_CHARS} are read")
    if _LONG_NUMBER.search(text):
        raise LimitExceededError(f"a number of more than {MAX_DIGITS} digits")
    depth = 0
    for char in text:
        if char in _OPEN:
            depth += 1
            if depth > MAX_DEPTH:
                raise LimitExceededError(f"nested more than {MAX_DEPTH} deep")
        elif char in _CLOSE:
            depth = max(0, depth - 1)
