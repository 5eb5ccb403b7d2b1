"""Whether an output is the expected one, by the rules of HumanEval+ and MBPP+.

Source: evalplus/eval/__init__.py (v0.3). Floats are compared within `atol` plus 1e-7 of the
expected value; where the data give no `atol`, expected floats get 1e-6.
"""

from __future__ import annotations

import math
from typing import Any

_RELATIVE = 1e-7
_DEFAULT_ATOL = 1e-6


def same_output(got: Any, expected: Any, *, atol: float = 0.0, mode: str = "equal") -> bool:
    """Return whether `got` is accepted for `expected`.

    Args:
        got: a plain value.
        expected: a plain value.
        atol: absolute tolerance of numbers.
        mode: `equal`; `set`, where order and repetition do not count; `not_none`, where only
            whether there is an answer counts.
    """
    if mode == "not_none":
        if isinstance(got, bool):
            return got is (expected if isinstance(expected, bool) else expected is not None)
        return (got is None) == (expected is None)
    if mode == "set":
        return bool(_as_set(got) == _as_set(expected))
    if bool(got == expected):
        return True
    if atol == 0 and _has_floats(expected):
        atol = _DEFAULT_ATOL
    return atol > 0 and _close(got, expected, atol)


def _as_set(value: Any) -> Any:
    try:
        return set(value)
    except TypeError:  # no container, or one of lists
        return value


def _has_floats(value: Any) -> bool:
    if isinstance(value, float):
        return True
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return False


def _close(got: Any, expected: Any, atol: float) -> bool:
    if type(got) is not type(expected) and not (_is_number(got) and _is_number(expected)):
        return False
    if _is_number(expected):
        if math.isnan(got) or math.isnan(expected):
            return math.isnan(got) and math.isnan(expected)
        if math.isinf(got) or math.isinf(expected):
            return bool(got == expected)
        return bool(abs(got - expected) <= atol + _RELATIVE * abs(expected))
    if isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(
            _close(g, e, atol) for g, e in zip(got, expected, strict=True)
        )
    return bool(got == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
