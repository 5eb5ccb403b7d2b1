"""Whether a program printed what was expected: line by line, then number by number.

Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py (`grade_stdio`). Both texts are
stripped as a whole and line by line; lines that differ as text must be equal as lists of decimal
numbers, exactly: `50000000000000000` is not `50000000000000001`, `0.50` is `0.5`.
"""

from __future__ import annotations

import decimal
from decimal import Decimal

_SHOWN = 200
_MAX_DIGITS = 100_000  # of a line: longer ones are compared as text alone


def difference(printed: str, expected: str) -> str:
    """Return an empty text if `printed` is accepted, else the first difference for people."""
    ours, theirs = _lines(printed), _lines(expected)
    if len(ours) != len(theirs):
        return f"{len(ours)} lines were printed, {len(theirs)} expected"
    for number, (line, wanted) in enumerate(zip(ours, theirs, strict=True), start=1):
        if line != wanted and not _same_numbers(line, wanted):
            return f"line {number}: {line[:_SHOWN]!r} is not {wanted[:_SHOWN]!r}"
    return ""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(line: str, wanted: str) -> bool:
    if max(len(line), len(wanted)) > _MAX_DIGITS:
        return False
    try:
        return _numbers(line) == _numbers(wanted)
    except decimal.InvalidOperation:  # no number, or a signalling NaN
        return False


def _numbers(line: str) -> list[Decimal]:
    return [Decimal(word) for word in line.split()]
