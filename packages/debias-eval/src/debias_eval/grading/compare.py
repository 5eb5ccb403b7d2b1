"""Are two answers the same? Shapes are compared here, their leaves by a decider.

Three-valued: True, False, or None where a leaf needs the symbolic worker. Rules: sets and bare
lists are unordered, tuples ordered; bracket types matter; ``x = 2`` may be written ``2``; an
inequality in one variable may be written as an interval.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from debias_eval.grading.normalize import squash
from debias_eval.grading.numeric import approximate
from debias_eval.grading.quantity import is_name, quantity, ungrouped
from debias_eval.grading.structure import EQ, NE, Leaf, Relation, Seq, Shape, shape

_APPROX = "\\approx"
_IN = "\\in"
_FLIP = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", EQ: EQ, NE: NE}
_UPWARD = frozenset({"<", "\\le"})
_DOWNWARD = frozenset({">", "\\ge"})
_OPEN_ENDS = frozenset({"-\\infty", "\\infty", "+\\infty"})
_REALS = frozenset({"\\mathbb{R}", "\\mathbbR", "\\text{allrealnumbers}", "allrealnumbers", "\\R"})
_TUPLES = frozenset({"()", "[]", "[)", "(]"})
_UNORDERED = frozenset({"", "{}"})

# a reference in plain braces is a set; in a response they are LaTeX's invisible group
_PLAIN_SET = re.compile(r"^\{([^{}()\[\]]+,[^{}()\[\]]+)\}$")


class Decider(Protocol):
    """Decides leaves and pairs of relation sides; see `decide.FastDecider`."""

    def same_value(self, gold: str, pred: str) -> bool | None:
        """Whether two values are equal."""
        ...

    def proportion(self, gold: tuple[str, str], pred: tuple[str, str]) -> int | None:
        """Sign of the constant factor between two differences, 0 for none."""
        ...


def same_answer(gold: str, pred: str, decider: Decider) -> bool | None:
    """Whether two normal forms (see `normalize`) are the same answer.

    Raises:
        LimitExceededError: One of them is too large to be read or evaluated.
    """
    comparison = _Comparison(decider)
    gold = _PLAIN_SET.sub(r"\\{\1\\}", gold)
    plain_gold, plain_pred = ungrouped(gold), ungrouped(pred)
    verdict = comparison.same(_only(shape(plain_gold)), _only(shape(plain_pred)))
    if verdict or (plain_gold, plain_pred) == (gold, pred):
        return verdict
    return comparison.same(shape(gold), shape(pred)) or verdict


def _only(item: Shape) -> Shape:
    r"""\{5\} as a whole answer is 5."""
    single = isinstance(item, Seq) and item.brackets == "{}" and len(item.items) == 1
    return item.items[0] if single and isinstance(item, Seq) else item


class _Comparison:
    """One comparison with its decider; every method returns True, False or None (unknown)."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider

    def same(self, g: Shape, p: Shape) -> bool | None:
        g, p = _canonical(g), _canonical(p)
        if g == p:
            return True
        if isinstance(g, Relation) and isinstance(p, Relation):
            return self._relations(g, p)
        if isinstance(g, Relation):
            return self._relation_and_value(g, p, pred=p)
        if isinstance(p, Relation):
            return self._relation_and_value(p, g, pred=p)
        return self._values(g, p)

    def _values(self, g: Leaf | Seq, p: Leaf | Seq) -> bool | None:
        if isinstance(g, Seq) and isinstance(p, Seq):
            return self._sequences(g, p)
        if isinstance(g, Leaf) and isinstance(p, Leaf):
            return self._decider.same_value(g.text, p.text)
        leaf = g if isinstance(g, Leaf) else p
        # an expression with matrices in it is read by the worker; no other value has brackets
        return None if isinstance(leaf, Leaf) and "\\begin" in leaf.text else False

    def _sequences(self, g: Seq, p: Seq) -> bool | None:
        if len(g.items) != len(p.items):
            return False
        kinds = {g.brackets, p.brackets}
        if kinds <= _UNORDERED or kinds == {"U"}:
            return self._unordered(g.items, p.items)
        if g.brackets == p.brackets or kinds == {"", "()"}:
            return self._ordered(g.items, p.items)
        return False

    def _ordered(self, g: Iterable[Shape], p: Iterable[Shape]) -> bool | None:
        return _all(self.same(a, b) for a, b in zip(g, p, strict=True))

    def _unordered(self, g: tuple[Shape, ...], p: tuple[Shape, ...]) -> bool | None:
        if _all_relations(g) != _all_relations(p):
            g, p = _without_shared_name(g), _without_shared_name(p)
            if _all_relations(g) or _all_relations(p):
                return self._ordered(g, p)  # "AB=4, CD=5" and "4, 5": the order names the values
        left = list(p)
        rest = []
        for item in g:
            if item in left:
                left.remove(item)
            else:
                rest.append(item)
        unknown = False
        for item in rest:
            verdicts = [self.same(item, other) for other in left]
            if True in verdicts:
                left.pop(verdicts.index(True))
            elif None in verdicts:
                unknown = True
            else:
                return False
        return None if unknown else True

    def _relation_and_value(self, relation: Relation, value: Shape, *, pred: Shape) -> bool | None:
        interval = _as_set(relation)
        if interval is not None and isinstance(value, Seq):
            return self.same(interval, value)
        if interval is not None and isinstance(value, Leaf) and value.text in _REALS:
            return self.same(interval, value)
        inner = _value_of(relation)
        if inner is None and relation is pred and _states_constant(relation):
            inner = relation.sides[-1]
        if inner is not None:
            return self.same(inner, value)
        return None if _is_inequality(relation) and isinstance(value, Seq) else False

    def _relations(self, g: Relation, p: Relation) -> bool | None:
        g, p = _shortened(g), _shortened(p)
        if g.operators == p.operators and self._ordered(g.sides, p.sides):
            return True
        if len(g.sides) != len(p.sides):
            return self._as_sets(g, p)
        if len(g.sides) > 2:
            return self._chains(g, p)
        return self._pairs(g, p)

    def _as_sets(self, g: Relation, p: Relation) -> bool | None:
        g_set, p_set = _as_set(g), _as_set(p)
        if g_set is not None and p_set is not None:
            return self.same(g_set, p_set)
        # 1 \le |z| \le 3/2 against z \in [...] \cup [...]: solving is the worker's business
        solvable = (g_set is None) != (p_set is None) and (_is_inequality(g) or _is_inequality(p))
        return None if solvable else False

    def _chains(self, g: Relation, p: Relation) -> bool | None:
        if g.operators == p.operators:
            return self._ordered(g.sides, p.sides)
        flipped = tuple(_FLIP.get(op, op) for op in reversed(p.operators))
        if g.operators == flipped:
            return self._ordered(g.sides, tuple(reversed(p.sides)))
        return False

    def _pairs(self, g: Relation, p: Relation) -> bool | None:
        """Two-sided relations: one is a multiple of the other."""
        (g_op,), (p_op,) = g.operators, p.operators
        if _IN in {g_op, p_op} or p_op not in {g_op, _FLIP.get(g_op)}:
            return self._as_sets(g, p) if _IN in {g_op, p_op} else False
        if g_op == EQ and _named(g) and _named(p) and not all(isinstance(s, Leaf) for s in g.sides):
            return _all([self.same(g.sides[0], p.sides[0]), self.same(g.sides[1], p.sides[1])])
        texts = [s.text for s in (*g.sides, *p.sides) if isinstance(s, Leaf)]
        if len(texts) < 4:
            return False
        sign = self._decider.proportion((texts[0], texts[1]), (texts[2], texts[3]))
        wanted = {1, -1} if g_op in {EQ, NE} else {1 if g_op == p_op else -1}
        return None if sign is None else sign in wanted


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    """False where one is False, True where all are True, else None."""
    unknown = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unknown |= verdict is None
    return None if unknown else True


def _all_relations(items: Iterable[Shape]) -> bool:
    return all(isinstance(item, Relation) for item in items)


def _without_shared_name(items: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """``x=1, x=2`` as 1, 2; items with several names, or none, stay."""
    first = items[0]
    if not isinstance(first, Relation) or not _named(first):
        return items
    values = [
        item.sides[1]
        for item in items
        if isinstance(item, Relation)
        and item.operators == (EQ,)
        and item.sides[0] == first.sides[0]
    ]
    return tuple(values) if len(values) == len(items) else items


def _canonical(item: Shape) -> Shape:
    """Names of the whole line become an interval; a difference of sets becomes a union."""
    if isinstance(item, Leaf) and squash(item.text) in _REALS:
        return Seq("()", (Leaf("-\\infty"), Leaf("\\infty")))
    if isinstance(item, Seq) and item.brackets == "-" and len(item.items) == 2:
        base, removed = (_canonical(part) for part in item.items)
        points = (
            removed.items if isinstance(removed, Seq) and removed.brackets in _UNORDERED else None
        )
        if (
            isinstance(base, Seq)
            and base.brackets in _TUPLES
            and points
            and all(isinstance(x, Leaf) for x in points)
        ):
            return _punctured(base, [x for x in points if isinstance(x, Leaf)])
    return item


def _punctured(base: Seq, points: list[Leaf]) -> Shape:
    """(a,b) without points inside it, as a union of intervals in ascending order."""
    keyed: list[tuple[float, Leaf]] = []
    for point in points:
        node = quantity(point.text).node
        found = approximate(node) if node is not None else None
        if found is None:
            return Seq("-", (base, Seq("{}", tuple(points))))
        keyed.append((found[0].real, point))
    ends = [
        base.items[0],
        *(leaf for _, leaf in sorted(keyed, key=lambda pair: pair[0])),
        base.items[1],
    ]
    last = len(ends) - 2
    parts = tuple(
        Seq(
            (base.brackets[0] if i == 0 else "(") + (base.brackets[1] if i == last else ")"),
            (ends[i], ends[i + 1]),
        )
        for i in range(last + 1)
    )
    return Seq("U", parts)


def _named(relation: Relation) -> bool:
    """Whether a relation's first side is a name, or a tuple of names."""
    first = relation.sides[0]
    if isinstance(first, Leaf):
        return is_name(first.text)
    return isinstance(first, Seq) and all(
        isinstance(i, Leaf) and is_name(i.text) for i in first.items
    )


def _shortened(relation: Relation) -> Relation:
    r"""``x = 5+5+1 = 1/3 \\approx 0.33`` says x = 1/3."""
    sides, operators = relation.sides, relation.operators
    if EQ in operators and _APPROX in operators:
        cut = operators.index(_APPROX)
        sides, operators = sides[: cut + 1], operators[:cut]
    if operators == (_APPROX,):
        operators = (EQ,)
    if len(sides) > 2 and set(operators) == {EQ}:
        return Relation((sides[0], sides[-1]), (EQ,))
    return Relation(sides, operators)


def _value_of(relation: Relation) -> Shape | None:
    """What an assignment or membership assigns; None for an equation or inequality."""
    chained = len(relation.sides) > 2
    short = _shortened(relation)
    if len(short.sides) != 2:
        return None
    (operator,) = short.operators
    if operator in {EQ, _IN} and (_named(short) or (chained and operator == EQ)):
        return short.sides[1]
    return None


def _states_constant(relation: Relation) -> bool:
    """Whether a prediction works something out, as in ``2+3 = 5``: then it answers 5."""
    first = relation.sides[0]
    return (
        set(relation.operators) == {EQ}
        and isinstance(first, Leaf)
        and not re.search(r"(?<!\\)(?<![A-Za-z])[A-Za-z]", first.text)
    )


def _is_inequality(relation: Relation) -> bool:
    return all(op in _UPWARD | _DOWNWARD for op in relation.operators)


def _as_set(relation: Relation) -> Shape | None:
    """The interval that an inequality in one name describes; None where it is none."""
    relation = _shortened(relation)
    sides, operators = relation.sides, relation.operators
    if len(sides) == 2 and operators[0] == _IN:
        return sides[1] if _named(relation) else None
    if len(sides) == 2 and operators[0] == NE and _named(relation):
        whole = Seq("()", (Leaf("-\\infty"), Leaf("\\infty")))
        return Seq("-", (whole, Seq("{}", (sides[1],))))
    if not _is_inequality(relation):
        return None
    if all(op in _DOWNWARD for op in operators):
        sides, operators = sides[::-1], tuple(_FLIP[op] for op in reversed(operators))
    if not all(op in _UPWARD for op in operators):
        return None
    return _interval(sides, operators)


def _interval(sides: tuple[Shape, ...], operators: tuple[str, ...]) -> Shape | None:
    r"""Ascending sides, e.g. -2 \\le x < 7, as [-2,7)."""
    names = [
        isinstance(s, Leaf) and is_name(s.text) and "|" not in s.text and s.text not in _OPEN_ENDS
        for s in sides
    ]
    if len(sides) == 3 and names == [False, True, False]:
        left = "[" if operators[0] == "\\le" else "("
        right = "]" if operators[1] == "\\le" else ")"
        return Seq(left + right, (sides[0], sides[2]))
    if len(sides) == 2 and names == [True, False]:
        return Seq("(" + ("]" if operators[0] == "\\le" else ")"), (Leaf("-\\infty"), sides[1]))
    if len(sides) == 2 and names == [False, True]:
        return Seq(("[" if operators[0] == "\\le" else "(") + ")", (sides[0], Leaf("\\infty")))
    return None
