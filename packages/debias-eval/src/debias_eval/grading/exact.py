"""The exact value of an expression tree, as a rational number, within bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from debias_eval.grading.limits import MAX_BITS, MAX_FACTORIAL, LimitExceededError
from debias_eval.grading.tree import Node, Num, Sym


class NotExactError(Exception):
    """The tree is not a rational function of its symbols (or is undefined at this point)."""


def exact(node: Node, at: Mapping[str, Fraction] | None = None) -> Fraction:
    """The exact value of a rational expression.

    Args:
        node: The tree.
        at: Values of its symbols.

    Raises:
        NotExactError: There is a root, a function, a constant or an unknown in it, or 0 below.
        LimitExceededError: A value on the way needs more than `MAX_BITS` bits.
    """
    if isinstance(node, Num):
        return node.value
    if isinstance(node, Sym):
        if at is None or node.name not in at:
            raise NotExactError(node.name)
        return at[node.name]
    rule = _EXACT.get(node.kind)
    if rule is None:
        raise NotExactError(node.kind)
    return _bounded(rule([exact(arg, at) for arg in node.args]))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise LimitExceededError(f"a number of more than {MAX_BITS} bits")
    return value


def _add(args: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for arg in args:
        total = _bounded(total + arg)
    return total


def _multiply(args: list[Fraction]) -> Fraction:
    total = Fraction(1)
    for arg in args:
        total = _bounded(total * arg)
    return total


def _divide(args: list[Fraction]) -> Fraction:
    top, bottom = args
    if bottom == 0:
        raise NotExactError("division by zero")
    return top / bottom


def _power(args: list[Fraction]) -> Fraction:
    base, exponent = args
    if exponent.denominator != 1:
        return _rational_root(base, exponent)
    if base in {0, 1, -1}:
        if base == 0 and exponent <= 0:
            raise NotExactError("zero to a power that is not positive")
        return base if base != -1 or exponent.numerator % 2 else Fraction(1)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MAX_BITS:
        raise LimitExceededError("a power with too many digits")
    return base**exponent.numerator


def _rational_root(base: Fraction, exponent: Fraction) -> Fraction:
    """Perfect powers only: 8^{2/3} is 4, 8^{1/2} is no rational."""
    index = exponent.denominator
    if base < 0 or index > 64 or abs(exponent.numerator) > 64:
        raise NotExactError("root")
    roots = []
    for part in (base.numerator, base.denominator):
        root = _integer_root(part, index)
        if root is None:
            raise NotExactError("not a perfect power")
        roots.append(root)
    return _power([Fraction(roots[0], roots[1]), Fraction(exponent.numerator)])


def _integer_root(value: int, index: int) -> int | None:
    if value < 2:
        return value
    if index == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    if value.bit_length() > 1024:
        return None
    guess = round(value ** (1 / index)) if value.bit_length() < 1000 else 0
    for root in (guess - 1, guess, guess + 1):
        if root > 0 and root**index == value:
            return root
    return None


def _factorial(args: list[Fraction]) -> Fraction:
    (value,) = args
    if value.denominator != 1 or value < 0:
        raise NotExactError("factorial of a value that is no natural number")
    if value > MAX_FACTORIAL:
        raise LimitExceededError(f"factorial of more than {MAX_FACTORIAL}")
    return Fraction(math.factorial(value.numerator))


def _binomial(args: list[Fraction]) -> Fraction:
    top, bottom = args
    if top.denominator != 1 or bottom.denominator != 1 or top < 0 or bottom < 0:
        raise NotExactError("binomial of values that are no natural numbers")
    if top > MAX_BITS:
        raise LimitExceededError("a binomial with too many digits")
    return Fraction(math.comb(top.numerator, bottom.numerator))


_EXACT: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "add": _add,
    "mul": _multiply,
    "div": _divide,
    "neg": lambda a: -a[0],
    "pow": _power,
    "fact": _factorial,
    "binom": _binomial,
    "abs": lambda a: abs(a[0]),
    "floor": lambda a: Fraction(math.floor(a[0])),
    "ceil": lambda a: Fraction(math.ceil(a[0])),
}
