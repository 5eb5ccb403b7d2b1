"""Expression trees: what an answer's text is read into, before anything is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


class ParseError(Exception):
    """The text is not in the grammar of `parse`."""


@dataclass(frozen=True, slots=True)
class Num:
    """A written number, exactly as written: 0.50 is 1/2 with two decimal places."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A letter, a Greek letter, a subscripted name or a word."""

    name: str


Operator = Literal[
    "add",
    "mul",
    "div",
    "pow",
    "neg",
    "fact",
    "binom",
    "abs",
    "floor",
    "ceil",
    "log",
    "base",
    "call",
]


@dataclass(frozen=True, slots=True)
class Op:
    """An operator, a function (``call`` with its name) or a numeral's base, with its arguments."""

    kind: Operator
    args: tuple[Node, ...]
    name: str = ""


Node = Num | Sym | Op


def symbols(node: Node) -> frozenset[str]:
    """The names that stand for unknowns in a tree (not e, i or π)."""
    if isinstance(node, Sym):
        return frozenset() if node.name in {"e", "i", "pi", "infty"} else frozenset({node.name})
    if isinstance(node, Op):
        return frozenset().union(*(symbols(arg) for arg in node.args))
    return frozenset()
