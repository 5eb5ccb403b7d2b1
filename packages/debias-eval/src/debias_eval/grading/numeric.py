"""Values of expression trees: exact rationals within bounds, and floats to tell answers apart.

Two uses with two standards of proof. `exact` is a value. `differ` compares floats at sample points,
and may only ever say "these are different": that two floats agree proves nothing
(e^{π√163} and 262537412640768744 agree to 30 digits), and such pairs go to `symbolic`.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from debias_eval.grading.limits import MAX_BITS, MAX_FACTORIAL, LimitExceededError
from debias_eval.grading.tree import Node, Num, Op, Sym, symbols

_MAX_EXPONENT = 200_000
_RELATIVE_GAP = 1e-7
"""Floats farther apart than this, relative to the largest intermediate value, are different."""

_NUM_SAMPLES = 3
_PRIMES = (2**61 - 1, 2**89 - 1)
_MAX_DEGREE = 100_000

_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "exp": cmath.exp,
    "cot": lambda z: 1 / cmath.tan(z), "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z),
}  # fmt: skip
_CONSTANTS: dict[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j}


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


def same_rational_function(left: Node, right: Node) -> bool | None:
    """Whether two rational expressions are the same function; None where one is not rational.

    Constants are compared exactly. Expressions with unknowns are evaluated modulo two
    large primes at random points, where (x+1)^{2000} costs what x+1 costs: "different" is
    certain, and a false "same" has a probability below degree / 2^61 (Schwartz-Zippel), with
    degrees of at most `_MAX_DEGREE`.
    """
    names = sorted(symbols(left) | symbols(right))
    try:
        if not names:
            return exact(left) == exact(right)
        draw = Random(2004)  # noqa: S311 - sample points, no secrets
        for prime in _PRIMES:
            field = _Field(prime, {name: draw.randrange(2, prime) for name in names})
            if field.value(left) != field.value(right):
                return False
        return _same_at(left, right, {name: Fraction(draw.getrandbits(16) + 2) for name in names})
    except NotExactError:
        return None


def _same_at(left: Node, right: Node, at: Mapping[str, Fraction]) -> bool:
    """Whether two expressions agree exactly at a point, as far as `MAX_BITS` lets one see.

    Closes the door that known primes leave open: a coefficient that is a multiple of both.
    """
    try:
        return exact(left, at) == exact(right, at)
    except LimitExceededError:
        return not differ(left, right)


@dataclass(frozen=True, slots=True)
class _Field:
    """Evaluation of rational expressions among the integers modulo a prime."""

    prime: int
    at: Mapping[str, int]

    def value(self, node: Node) -> int:
        if isinstance(node, Num):
            return node.value.numerator * self.inverse(node.value.denominator) % self.prime
        if isinstance(node, Sym):
            if node.name not in self.at:
                raise NotExactError(node.name)
            return self.at[node.name]
        return self.operation(node) % self.prime

    def operation(self, node: Op) -> int:
        if node.kind == "pow":
            return self.power(*node.args)
        if node.kind not in {"add", "mul", "div", "neg"}:
            return self.value(Num(exact(node)))
        args = [self.value(arg) for arg in node.args]
        if node.kind in {"add", "neg"}:
            return sum(args) if node.kind == "add" else -args[0]
        return math.prod(args) if node.kind == "mul" else args[0] * self.inverse(args[1])

    def power(self, base: Node, exponent: Node) -> int:
        degree = exact(exponent)
        if degree.denominator != 1 or abs(degree) > _MAX_DEGREE:
            raise NotExactError("exponent")
        value = self.value(base)
        value = value if degree >= 0 else self.inverse(value)
        return pow(value, abs(degree.numerator), self.prime)

    def inverse(self, value: int) -> int:
        if value % self.prime == 0:
            raise NotExactError("division by zero")
        return pow(value, -1, self.prime)


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
