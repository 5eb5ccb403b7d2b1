"""Are two values, or two relations, the same? Decided without sympy where that is safe.

`FastDecider` answers True, False or None ("ask the symbolic worker"). It runs in the caller's
process, so everything it does is bounded by `limits`. The worker's decider is a subclass that
replaces None by an answer.
"""

from __future__ import annotations

from fractions import Fraction

from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.expression import parse
from debias_eval.grading.floats import approximate, differ
from debias_eval.grading.normalize import squash
from debias_eval.grading.quantity import (
    Quantity,
    agrees_as_decimal,
    decimal_of,
    is_opaque,
    is_precise,
    quantity,
    words_of,
)
from debias_eval.grading.rational import same_rational_function
from debias_eval.grading.tree import Node, Num, Op, ParseError, Sym, symbols

DEGREE = "degree"
_FLOAT_DIGITS = 1e-15


class FastDecider:
    """Exact arithmetic, modular identities and float disproofs; None where they do not suffice."""

    def same_value(self, gold: str, pred: str) -> bool | None:
        """Whether two leaves are the same value."""
        if squash(gold) == squash(pred):
            return True
        g, p = quantity(gold), quantity(pred)
        if g.unit and p.unit and g.unit != p.unit:
            return False
        if g.text and squash(g.text) == squash(p.text) and g.percent == p.percent:
            return True
        words = self._same_words(gold, pred)
        if words is not None:
            return words
        return self._same_quantity(g, p)

    def _same_quantity(self, g: Quantity, p: Quantity) -> bool | None:
        plain = self.same_tree(g.node, p.node, g.text, p.text)
        if plain:
            return True
        if g.percent != p.percent:  # 28 % may be meant by 28 as well as by 0.28
            scaled = self.same_tree(_percent(g), _percent(p), g.text, p.text)
        elif (g.unit == DEGREE) != (p.unit == DEGREE):  # 30° may be meant by 30 as well as by π/6
            scaled = self.same_tree(_radians(g), _radians(p), g.text, p.text)
        else:
            return plain
        if scaled:
            return True
        return False if plain is False and scaled is False else None

    def _same_words(self, gold: str, pred: str) -> bool | None:
        """Answers in words: True, False, or None where they are no words."""
        g, p = words_of(gold), words_of(pred)
        if g is None or p is None or not (g.certain or p.certain):
            return None
        if g.text == p.text:
            return True
        return False if quantity(gold).node is None or quantity(pred).node is None else None

    def same_tree(self, g: Node | None, p: Node | None, gold: str, pred: str) -> bool | None:
        """Whether two trees are equal; `gold` and `pred` are their texts, for the worker."""
        if g is None or p is None:
            return self.unread(gold, pred)
        if g == p:
            return True
        if is_opaque(g) or is_opaque(p):
            return squash(gold).lstrip("+") == squash(pred).lstrip("+")
        exactly = self._same_decimal(g, p)
        if exactly is None:
            exactly = same_rational_function(g, p)
        if exactly is None and differ(g, p):
            return False
        return self.undecided(g, p) if exactly is None else exactly

    def unread(self, gold: str, pred: str) -> bool | None:  # noqa: ARG002 - a hook
        """Two texts of which at least one is not in the grammar."""
        return None

    def undecided(self, g: Node, p: Node) -> bool | None:  # noqa: ARG002 - a hook
        """Two trees that floats cannot tell apart."""
        return None

    def _same_decimal(self, g: Node, p: Node) -> bool | None:
        gold_decimal, pred_decimal = decimal_of(g), decimal_of(p)
        if gold_decimal is not None and pred_decimal is not None:
            return _same_decimals(gold_decimal, pred_decimal)
        decimal = gold_decimal or pred_decimal
        if decimal is None:
            return None
        other = p if gold_decimal is not None else g
        try:
            return agrees_as_decimal(decimal, exact(other))
        except NotExactError:
            return _agrees_as_float(decimal, other)

    def proportion(self, gold: tuple[str, str], pred: tuple[str, str]) -> int | None:
        """The sign of k where gold's lhs − rhs = k·(pred's lhs − rhs) for a constant k; 0 for none.

        That makes two equations (k of any sign) or inequalities (k of the right sign) the same.
        """
        g, p = _difference(*gold), _difference(*pred)
        if g is None or p is None:
            return None
        return self.tree_proportion(g, p)

    def tree_proportion(self, g: Node, p: Node) -> int | None:
        """`proportion` of two trees."""
        ratio = constant_ratio(g, p)
        if ratio is None:
            return None
        if ratio == 0:
            return 0
        scaled = Op("mul", (Num(Fraction(ratio).limit_denominator(10**6)), p))
        same = same_rational_function(g, scaled)
        if same is None:
            same = self.undecided(g, scaled) if not differ(g, scaled) else False
        if same is None:
            return None
        return (1 if ratio > 0 else -1) if same else 0


def constant_ratio(g: Node, p: Node) -> float | None:
    """g/p where floats see no change between points; 0.0 where it does; None where undefined."""
    ratios = []
    for point in (0.37, 1.23, 2.71):
        at = {name: complex(point + 0.61 * index) for index, name in enumerate(_names(g, p))}
        a, b = approximate(g, at), approximate(p, at)
        if a is None or b is None or abs(b[0]) < 1e-9 * max(1.0, b[1]):
            continue
        ratios.append(a[0] / b[0])
    if len(ratios) < 2:
        return None
    spread = max(abs(r - ratios[0]) for r in ratios)
    if (
        spread > 1e-7 * max(1.0, abs(ratios[0]))
        or abs(ratios[0].imag) > 1e-9
        or abs(ratios[0]) < 1e-12
    ):
        return 0.0
    return ratios[0].real


def _names(g: Node, p: Node) -> list[str]:

    return sorted(symbols(g) | symbols(p))


def _difference(left: str, right: str) -> Node | None:
    try:
        return Op("add", (parse(left), Op("neg", (parse(right),))))
    except ParseError:
        return None


def _percent(q: Quantity) -> Node | None:
    if q.node is None or not q.percent:
        return q.node
    decimal = decimal_of(q.node)
    if decimal is not None:
        return Num(decimal.value / 100, (decimal.places or 0) + 2)
    return Op("div", (q.node, Num(Fraction(100))))


def _radians(q: Quantity) -> Node | None:
    if q.node is None or q.unit != DEGREE:
        return q.node
    return Op("mul", (q.node, Op("div", (Sym("pi"), Num(Fraction(180))))))


def _same_decimals(gold: Num, pred: Num) -> bool:
    """Two decimals: equal, or the prediction gives more digits of what the reference rounded."""
    if gold.value == pred.value:
        return True
    finer = (pred.places or 0) > (gold.places or 0)
    return finer and is_precise(gold) and agrees_as_decimal(gold, pred.value)


def _agrees_as_float(decimal: Num, other: Node) -> bool | None:
    """Whether a decimal gives the digits of a real number known as a float."""
    found = approximate(other)
    if found is None:
        return None
    value, scale = found
    if abs(value.imag) > 1e-12 * max(1.0, scale):
        return False
    error = 8 * _FLOAT_DIGITS * max(scale, abs(value))
    places = decimal.places or 0
    unit = 10.0**-places
    gap = abs(value.real) - abs(float(decimal.value))
    if (value.real < 0) != (decimal.value < 0) or not is_precise(decimal):
        return False
    return abs(gap) <= 0.5 * unit + error or -error <= gap < unit
