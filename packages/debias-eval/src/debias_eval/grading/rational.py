"""Whether two rational expressions are one function: by values modulo large primes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.floats import differ
from debias_eval.grading.limits import LimitExceededError
from debias_eval.grading.tree import Node, Num, Op, Sym, symbols

_PRIMES = (2**61 - 1, 2**89 - 1)
_MAX_DEGREE = 100_000


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
