"""Sets of real numbers as answers write them: inequalities, intervals, unions, differences."""

from __future__ import annotations

from dataclasses import replace

from debias_eval.grading.normalize import squash
from debias_eval.grading.pieces import (
    ENDS,
    INFINITY,
    LINE,
    MINUS_INFINITY,
    intersection,
    position,
    union,
    without,
)
from debias_eval.grading.quantity import is_name
from debias_eval.grading.relations import (
    DOWNWARD,
    FLIP,
    IN,
    UPWARD,
    is_inequality,
    is_named,
    shortened,
)
from debias_eval.grading.structure import NE, Leaf, Relation, Seq, Shape

_REALS = frozenset({"\\mathbb{R}", "\\mathbbR", "\\text{allrealnumbers}", "allrealnumbers", "\\R"})


def is_reals(text: str) -> bool:
    """Whether a text names the whole line."""
    return squash(text) in _REALS


def canonical(item: Shape) -> Shape:
    """The one form of a set that has several: unions in order, without seams and differences."""
    if isinstance(item, Leaf):
        return LINE if is_reals(item.text) else item
    return _canonical_set(item) if isinstance(item, Seq) else item


def _canonical_set(item: Seq) -> Shape:
    if item.brackets in {"or", "and"}:
        return _solution(item)
    found: Shape | None = None
    if item.brackets == "{}":
        found = replace(item, items=tuple(dict.fromkeys(item.items)))
    elif item.brackets == "U":
        found = union(tuple(canonical(part) for part in item.items))
    elif item.brackets == "-" and len(item.items) == 2:
        base, removed = (canonical(part) for part in item.items)
        found = without(base, removed)
    return found or item


def as_set(relation: Relation) -> Shape | None:
    """The set of numbers that an inequality in one name describes; None where it is none."""
    relation = shortened(relation)
    sides, operators = relation.sides, relation.operators
    if len(sides) == 2 and operators[0] == IN:
        return sides[1] if is_named(relation) else None
    if len(sides) == 2 and operators[0] == NE and is_named(relation):
        return Seq("-", (LINE, Seq("{}", (sides[1],))))
    if not is_inequality(relation):
        return None
    if all(op in DOWNWARD for op in operators):
        sides, operators = sides[::-1], tuple(FLIP[op] for op in reversed(operators))
    if not all(op in UPWARD for op in operators):
        return None
    return _interval(sides, operators)


def _interval(sides: tuple[Shape, ...], operators: tuple[str, ...]) -> Shape | None:
    r"""Ascending sides, e.g. -2 \\le x < 7, as [-2,7)."""
    names = [_is_unknown(side) for side in sides]
    if len(sides) == 3 and names == [False, True, False]:
        left = "[" if operators[0] == "\\le" else "("
        right = "]" if operators[1] == "\\le" else ")"
        return Seq(left + right, (sides[0], sides[2]))
    if len(sides) != 2:
        return None
    closed = operators[0] == "\\le"
    if names == [True, False]:
        return Seq("(" + ("]" if closed else ")"), (MINUS_INFINITY, sides[1]))
    if names == [False, True]:
        return Seq(("[" if closed else "(") + ")", (sides[0], INFINITY))
    return _distance(sides, closed=closed)


def _is_unknown(side: Shape) -> bool:
    return (
        isinstance(side, Leaf)
        and is_name(side.text)
        and "|" not in side.text
        and side.text not in ENDS
    )


def _distance(sides: tuple[Shape, ...], *, closed: bool) -> Shape | None:
    """|x| < a as (-a, a), and a < |x| as the two rays outside, for a positive number a."""
    low, high = sides
    if not isinstance(low, Leaf) or not isinstance(high, Leaf):
        return None
    inside = _is_bars(low.text)
    bound = high if inside else low
    if inside == _is_bars(high.text) or not position(bound) > 0:
        return None
    minus = Leaf(f"-({bound.text})")
    if inside:
        return Seq("[]" if closed else "()", (minus, bound))
    left = Seq("(]" if closed else "()", (MINUS_INFINITY, minus))
    return Seq("U", (left, Seq("[)" if closed else "()", (bound, INFINITY))))


def _is_bars(text: str) -> bool:
    return text[:1] == "|" == text[-1:] and text[1:-1].isalpha() and len(text) == 3


def _solution(item: Seq) -> Shape:
    """Inequalities joined by "or" or "and" as a set of numbers; as a list where that is unclear."""
    relations = [part for part in item.items if isinstance(part, Relation)]
    plain = Seq("", item.items)
    names = {_unknown_of(relation) for relation in relations}
    sets = [as_set(relation) for relation in relations]
    if len(names) != 1 or None in names or None in sets:
        return plain
    found = tuple(canonical(part) for part in sets if part is not None)
    return (union(found) if item.brackets == "or" else intersection(found)) or plain


def _unknown_of(relation: Relation) -> str | None:
    for side in relation.sides:
        if isinstance(side, Leaf) and (_is_unknown(side) or _is_bars(side.text)):
            return side.text.strip("|")
    return None
