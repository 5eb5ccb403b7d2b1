"""Floats that tell two expression trees apart, and prove nothing else.

`differ` compares at sample points, and may only ever say "these are different": that two floats
agree proves nothing (e^{π√163} and 262537412640768744 agree to 30 digits), and such pairs go to
`symbolic`.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from random import Random

from debias_eval.grading.exact import NotExactError
from debias_eval.grading.tree import Node, Num, Op, Sym, symbols

_MAX_EXPONENT = 200_000
_RELATIVE_GAP = 1e-7
"""Floats farther apart than this, relative to the largest intermediate value, are different."""

_NUM_SAMPLES = 3

_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "exp": cmath.exp,
    "cot": lambda z: 1 / cmath.tan(z), "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z),
}  # fmt: skip
_CONSTANTS: dict[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j}


def differ(left: Node, right: Node) -> bool:
    """Whether floats prove that two trees have different values somewhere on the positive reals."""
    names = sorted(symbols(left) | symbols(right))
    draw = Random(17)  # noqa: S311 - sample points, no secrets
    for _ in range(_NUM_SAMPLES if names else 1):
        at = {name: complex(draw.uniform(0.4, 2.6)) for name in names}
        a, b = approximate(left, at), approximate(right, at)
        if a is None or b is None:
            continue
        scale = max(a[1], b[1])
        if abs(a[0] - b[0]) > _RELATIVE_GAP * scale:
            return True
    return False


def approximate(
    node: Node, at: Mapping[str, complex] | None = None
) -> tuple[complex, float] | None:
    """The float value of a tree and the largest magnitude met on the way; None where undefined.

    The second number bounds what cancellation can have lost: with values of size s in between,
    the result is good to about 1e-15·s.
    """
    try:
        value, scale = _float(node, at or {})
    except (ArithmeticError, ValueError, NotExactError):
        return None
    return (value, scale) if cmath.isfinite(value) and math.isfinite(scale) else None


def _float(node: Node, at: Mapping[str, complex]) -> tuple[complex, float]:
    if isinstance(node, Num):
        value = complex(float(node.value))
        return value, abs(value)
    if isinstance(node, Sym):
        known = at.get(node.name, _CONSTANTS.get(node.name))
        if known is None:
            raise NotExactError(node.name)
        return known, abs(known)
    pairs = [_float(arg, at) for arg in node.args]
    value = _apply(node, [pair[0] for pair in pairs])
    inner = max(pair[1] for pair in pairs)
    return value, max(inner, abs(value)) if node.kind in {"add", "neg"} else _carry(value, pairs)


def _carry(value: complex, pairs: list[tuple[complex, float]]) -> float:
    """The magnitude scale after a product, power or function: relative loss carries on."""
    loss = max((scale / abs(v) if v else scale) for v, scale in pairs)
    return max(1.0, loss) * abs(value) if value else max(scale for _, scale in pairs)


def _apply(node: Op, args: list[complex]) -> complex:
    if node.kind == "call":
        function = _FUNCTIONS.get(node.name)
        if function is None or len(args) != 1:
            raise NotExactError(node.name)
        return function(args[0])
    rule = _FLOAT.get(node.kind)
    return _discrete(node.kind, args) if rule is None else rule(args)


def _float_product(args: list[complex]) -> complex:
    total = complex(1)
    for arg in args:
        total *= arg
    return total


def _float_power(base: complex, exponent: complex) -> complex:
    if abs(exponent) > _MAX_EXPONENT:
        raise NotExactError("exponent")
    return base**exponent


def _discrete(kind: str, args: list[complex]) -> complex:
    """Functions of real or whole numbers only; near a jump a float decides nothing."""
    if any(abs(a.imag) > 0 for a in args):
        raise NotExactError(kind)
    if kind in {"floor", "ceil"}:
        value = args[0].real
        if abs(value - round(value)) < 1e-6:
            raise NotExactError("too near a whole number")
        return complex(math.floor(value) if kind == "floor" else math.ceil(value))
    if kind == "base" or any(a.real != round(a.real) or not 0 <= a.real <= 170 for a in args):
        raise NotExactError(kind)
    whole = [round(a.real) for a in args]
    return (
        complex(math.factorial(whole[0]))
        if kind == "fact"
        else complex(math.comb(whole[0], whole[1]))
    )


_FLOAT: dict[str, Callable[[list[complex]], complex]] = {
    "add": sum,
    "neg": lambda a: -a[0],
    "abs": lambda a: complex(abs(a[0])),
    "mul": _float_product,
    "div": lambda a: a[0] / a[1],
    "log": lambda a: cmath.log(a[0]) / cmath.log(a[1]),
    "pow": lambda a: _float_power(a[0], a[1]),
}
