r"""How published graders read an expression: as sympy's ``parse_latex`` does, by our grammar.

Qwen's and Minerva's graders hand their normal forms to ``parse_latex``, and their verdicts rest on
that grammar's habits, which are kept here: the longest readable beginning counts and the rest is
dropped (``1,2`` is 1), every letter is an unknown (π, e and i are no numbers), words are products
of their letters, unknown commands are unknowns, 3\frac12 is 3/2, and ``a:b`` is a/b. Where
``parse_latex`` fails Qwen's grader runs the text as Python; of that only ``{a,b}``, a set, is kept.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from debias_eval.grading.expression import Parser
from debias_eval.grading.limits import check_answer_size
from debias_eval.grading.tree import Node, Num, Op, ParseError, Sym

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)|(?P<other>\\[A-Za-z]+|\\.|\S))"
)
_RELATION = re.compile(r"<|>|=|\\(?:le|ge)(?![A-Za-z])")
_SKIPPED = re.compile(r"\\[,;:!]|\\(?:left|right)(?![A-Za-z])")
_SAME = {":": "/", "\\{": "(", "\\}": ")", "\\dfrac": "\\frac", "\\tfrac": "\\frac",
         "\\dbinom": "\\binom", "\\tbinom": "\\binom"}  # fmt: skip
_SET = re.compile(r"^\{([^{}]*,[^{}]*)\}$")
_FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "exp",
})  # fmt: skip
_STRUCTURES = frozenset({"frac", "sqrt", "binom", "log", "ln", "lg", "lfloor", "lceil"})
_SIGNS = frozenset({"\\cdot", "\\times", "\\div", "\\le", "\\ge", "\\rfloor", "\\rceil"})
_CLOSING = frozenset(")]},;=<>&+-_'\"")


class Read(NamedTuple):
    """An expression, the two sides of a relation, or the members of a set."""

    kind: str
    parts: tuple[Node, ...]


def read(text: str) -> Read | None:
    """What ``parse_latex`` understands; None where it fails.

    Raises:
        LimitExceededError: The text is too long or nested too deeply.
    """
    check_answer_size(text)
    members = _SET.match(text)
    try:
        if members is not None:
            return Read("set", tuple(_beginning(part) for part in members[1].split(",")))
        sides = _RELATION.split(text)
        if len(sides) == 1:
            return Read("value", (_beginning(text),))
        return Read("relation", (_beginning(sides[0]), _beginning(sides[1])))
    except ParseError:
        return None


def _beginning(text: str) -> Node:
    """The longest beginning of a text that is an expression."""
    tokens = []
    for match in _TOKEN.finditer(_SKIPPED.sub("", text.replace("\\\\", "\\"))):
        piece = match[0].strip()
        tokens.append(_SAME.get(piece) or piece.replace(",", "") or piece)
    if not tokens or tokens[0] == "*":
        raise ParseError("empty")
    if not all(map(str.isascii, tokens)):
        raise ParseError("a sign that the grammar does not have")
    return _LatexParser(tokens).sum()


class _LatexParser(Parser):
    """The grammar of `expression` with ``parse_latex``'s habits."""

    def _starts_factor(self, piece: str | None) -> bool:
        if piece is None or piece in _CLOSING or piece in _SIGNS:
            return False
        if piece == "|":
            return self._bars == 0
        return piece[0].isalnum() or piece in {"(", "[", "{"} or piece[0] == "\\"

    def _append_factor(self, factors: list[Node], piece: str | None) -> None:  # noqa: ARG002
        factors.append(self._power())

    def _rooted(self, radicand: Node, index: Node) -> Node:
        return Op("pow", (radicand, Op("div", (Num(Fraction(1)), index))))

    def _numeral(self, piece: str) -> Node:
        return Num(Fraction("0" + piece if piece.startswith(".") else piece))

    def _subscripted(self, name: str) -> Node:
        if self.peek() == "_":
            self._next()
            index = self._raw_group() if self.peek() == "{" else self._next()
            name = f"{name}_{index}"
        return self._applied(name) if self.peek() == "(" else Sym(f"unknown {name}")

    def _command(self, name: str) -> Node:
        if name in _STRUCTURES:
            return super()._command(name)
        if name in _FUNCTIONS:
            return self._function(name)
        if name == "infty":
            return Sym(name)
        if name == "overline":
            return Op("call", (self._group("{", "}"),), "conjugate")
        if not name.isalpha():
            raise ParseError(f"unknown sign {name!r}")
        return self._subscripted(name)
