"""Are two answers the same? Shapes are compared here, their leaves by a decider.

Three-valued: True, False, or None where a leaf needs the symbolic worker. Rules: sets and bare
lists are unordered, tuples ordered; bracket types matter; ``x = 2`` may be written ``2``; an
inequality in one variable may be written as an interval.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from debias_eval.grading.intervals import as_set, canonical, is_reals
from debias_eval.grading.quantity import ungrouped
from debias_eval.grading.relations import (
    FLIP,
    IN,
    is_inequality,
    is_named,
    shortened,
    states_constant,
    value_of,
    works_out,
)
from debias_eval.grading.structure import EQ, NE, Leaf, Relation, Seq, Shape, shape

_UNORDERED = frozenset({"", "{}"})

# a reference in plain braces is a set; in a response they are LaTeX's invisible group
_PLAIN_SET = re.compile(r"^\{([^{}()\[\]]+,[^{}()\[\]]+)\}$")

_MARKED_CHOICE = re.compile(
    r"^(?:\\text\{\s*)?\(([A-J])\)(?:\s*\})?\s*(?:\\text\{\s*)?(?=[\w\\$-])"
)
_BARE_CHOICE = re.compile(r"^(?:\\text\{\s*)?\(?([A-J])\)?\s*\}?$")


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
    chosen = _same_choice(gold, pred)
    if chosen is not None:
        return chosen
    comparison = _Comparison(decider)
    gold = _PLAIN_SET.sub(r"\\{\1\\}", gold)
    plain_gold, plain_pred = ungrouped(gold), ungrouped(pred)
    verdict = comparison.same(_only(shape(plain_gold)), _only(shape(plain_pred)))
    if verdict or (plain_gold, plain_pred) == (gold, pred):
        return verdict
    if _is_tuple(shape(gold)) or _is_tuple(shape(pred)):
        return verdict  # 123,456 is a number or a bare list, and (123,456) neither
    return comparison.same(shape(gold), shape(pred)) or verdict


def _same_choice(gold: str, pred: str) -> bool | None:
    """Whether ``(B) 12`` and ``B`` choose the same; None where they are no such pair."""
    for marked, bare in ((gold, pred), (pred, gold)):
        choice, letter = _MARKED_CHOICE.match(marked), _BARE_CHOICE.match(bare)
        if choice is not None and letter is not None:
            return choice[1] == letter[1]
    return None


def _is_tuple(item: Shape) -> bool:
    return isinstance(item, Seq) and item.brackets == "()"


def _only(item: Shape) -> Shape:
    r"""\{5\} as a whole answer is 5."""
    single = isinstance(item, Seq) and item.brackets == "{}" and len(item.items) == 1
    return item.items[0] if single and isinstance(item, Seq) else item


class _Comparison:
    """One comparison with its decider; every method returns True, False or None (unknown)."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider

    def same(self, g: Shape, p: Shape) -> bool | None:
        g, p = canonical(g), canonical(p)
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
        interval = as_set(relation)
        if interval is not None and isinstance(value, Seq):
            return self.same(interval, value)
        if interval is not None and isinstance(value, Leaf) and is_reals(value.text):
            return self.same(interval, value)
        inner = value_of(relation)
        stated = states_constant(relation) if relation is pred else works_out(relation)
        if inner is None and stated:
            inner = relation.sides[-1]
        if inner is not None:
            return self.same(inner, value)
        return None if is_inequality(relation) and isinstance(value, Seq) else False

    def _relations(self, g: Relation, p: Relation) -> bool | None:
        g, p = shortened(g), shortened(p)
        if g.operators == p.operators and self._ordered(g.sides, p.sides):
            return True
        if len(g.sides) != len(p.sides):
            return self._as_sets(g, p)
        if len(g.sides) > 2:
            return self._chains(g, p)
        return self._pairs(g, p)

    def _as_sets(self, g: Relation, p: Relation) -> bool | None:
        g_set, p_set = as_set(g), as_set(p)
        if g_set is not None and p_set is not None:
            return self.same(g_set, p_set)
        # 1 \le |z| \le 3/2 against z \in [...] \cup [...]: solving is the worker's business
        solvable = (g_set is None) != (p_set is None) and (is_inequality(g) or is_inequality(p))
        return None if solvable else False

    def _chains(self, g: Relation, p: Relation) -> bool | None:
        if g.operators == p.operators:
            return self._ordered(g.sides, p.sides)
        flipped = tuple(FLIP.get(op, op) for op in reversed(p.operators))
        if g.operators == flipped:
            return self._ordered(g.sides, tuple(reversed(p.sides)))
        return False

    def _pairs(self, g: Relation, p: Relation) -> bool | None:
        """Two-sided relations: one is a multiple of the other."""
        (g_op,), (p_op,) = g.operators, p.operators
        if IN in {g_op, p_op} or p_op not in {g_op, FLIP.get(g_op)}:
            return self._as_sets(g, p) if IN in {g_op, p_op} else False
        if (
            g_op == EQ
            and is_named(g)
            and is_named(p)
            and not all(isinstance(s, Leaf) for s in g.sides)
        ):
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
    if not isinstance(first, Relation) or not is_named(first):
        return items
    values = [
        item.sides[1]
        for item in items
        if isinstance(item, Relation)
        and item.operators == (EQ,)
        and item.sides[0] == first.sides[0]
    ]
    return tuple(values) if len(values) == len(items) else items
