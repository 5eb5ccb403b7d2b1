"""Whether an output is the expected one, by the rules of HumanEval+, MBPP+ and LiveCodeBench.

Source: evalplus/eval/__init__.py (v0.3.1). Floats are compared within `atol` plus 1e-7 of the
expected value; where the data give no `atol`, expected floats get 1e-6. A few tasks have several
right answers, or a reference that is itself in doubt: those have modes of their own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_RELATIVE = 1e-7
_DEFAULT_ATOL = 1e-6


def same_output(
    got: Any,
    expected: Any,
    *,
    atol: float = 0.0,
    mode: str = "equal",
    args: Sequence[Any] = (),
) -> bool:
    """Return whether `got` is accepted for `expected`.

    Args:
        got: a plain value.
        expected: a plain value.
        atol: absolute tolerance of numbers.
        mode: `equal`; `exact`, without any tolerance, where a tuple counts as the list of its
            items (LiveCodeBench); `set`, where order and repetition do not count; `not_none`,
            where only whether there is an answer counts; `any`, where an answer of any kind
            counts; `or_zero`, where 0 counts as well; `root`, a zero of the polynomial whose
            coefficients are `args[0]` (HumanEval/32); `pyramid` and `digits`, where a second
            reading of the task counts as well (MBPP/581, MBPP/558).
        args: what the function was called with, for the modes that compute an answer.
    """
    rule = _RULES.get(mode)
    if rule is not None:
        return rule(got, expected)
    if mode == "root":
        return _is_number(got) and _safely(lambda: abs(_polynomial(args[0], got)) <= atol)
    if bool(got == expected):
        return True
    oracle = _SECOND_READINGS.get(mode)
    if oracle is not None and _is_number(got) and _safely(lambda: abs(got - oracle(*args)) <= atol):
        return True
    if atol == 0 and _has_floats(expected):
        atol = _DEFAULT_ATOL
    return atol > 0 and type(got) is type(expected) and _close(got, expected, atol)


def _exactly(got: Any, expected: Any) -> bool:
    return bool((list(got) if type(got) is tuple else got) == expected)


def _both_or_none(got: Any, expected: Any) -> bool:
    # The expected value may be on record as whether there is one.
    wanted = expected if isinstance(expected, bool) else expected is not None
    return (got if isinstance(got, bool) else got is not None) == wanted


def _same_set(got: Any, expected: Any) -> bool:
    return bool(_as_set(got) == _as_set(expected))


_RULES: dict[str, Callable[[Any, Any], bool]] = {
    "any": lambda _got, _expected: True,
    "exact": _exactly,
    "not_none": _both_or_none,
    "set": _same_set,
}


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    return sum(c * math.pow(x, power) for power, c in enumerate(coefficients))


def _pyramid_surface(base: float, height: float) -> int:
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return round(base**2 + 4 * (base * slant) / 2)


def _digit_distance(first: int, second: int) -> int:
    width = max(len(str(first)), len(str(second)))
    pairs = zip(str(first).zfill(width), str(second).zfill(width), strict=True)
    return sum(abs(int(a) - int(b)) for a, b in pairs)


_SECOND_READINGS: dict[str, Callable[..., float]] = {
    "or_zero": lambda *_args: 0,
    "pyramid": _pyramid_surface,
    "digits": _digit_distance,
}


def _safely(accepts: Callable[[], bool]) -> bool:
    """Return the answer of a test that overflows, or meets what is no number, as False."""
    try:
        return bool(accepts())
    except (ArithmeticError, ValueError, TypeError):
        return False


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
