r"""Sets of real numbers as answers write them: inequalities, intervals, unions, differences.

Ends are ordered by their floats and taken for the same only where they are the same text or the
same exact number; where neither says enough, a set stays as it was written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from debias_eval.grading.normalize import squash
from debias_eval.grading.numeric import NotExactError, approximate, exact
from debias_eval.grading.quantity import is_name, quantity
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

_MINUS_INFINITY, _INFINITY = Leaf("-\\infty"), Leaf("\\infty")
_LINE = Seq("()", (_MINUS_INFINITY, _INFINITY))
_ENDS = {"-\\infty": -math.inf, "\\infty": math.inf, "+\\infty": math.inf}
_REALS = frozenset({"\\mathbb{R}", "\\mathbbR", "\\text{allrealnumbers}", "allrealnumbers", "\\R"})
_INTERVALS = frozenset({"()", "[]", "[)", "(]"})
_SETS = frozenset({"", "{}"})
_NEAR = 1e-9


def is_reals(text: str) -> bool:
    """Whether a text names the whole line."""
    return squash(text) in _REALS


def canonical(item: Shape) -> Shape:
    """The one form of a set that has several: unions in order, without seams and differences."""
    if isinstance(item, Leaf):
        return _LINE if is_reals(item.text) else item
    return _canonical_set(item) if isinstance(item, Seq) else item


def _canonical_set(item: Seq) -> Shape:
    if item.brackets in {"or", "and"}:
        return _solution(item)
    found: Shape | None = None
    if item.brackets == "{}":
        found = replace(item, items=tuple(dict.fromkeys(item.items)))
    elif item.brackets == "U":
        found = _union(tuple(canonical(part) for part in item.items))
    elif item.brackets == "-" and len(item.items) == 2:
        base, removed = (canonical(part) for part in item.items)
        found = _without(base, removed)
    return found or item


def as_set(relation: Relation) -> Shape | None:
    """The set of numbers that an inequality in one name describes; None where it is none."""
    relation = shortened(relation)
    sides, operators = relation.sides, relation.operators
    if len(sides) == 2 and operators[0] == IN:
        return sides[1] if is_named(relation) else None
    if len(sides) == 2 and operators[0] == NE and is_named(relation):
        return Seq("-", (_LINE, Seq("{}", (sides[1],))))
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
        return Seq("(" + ("]" if closed else ")"), (_MINUS_INFINITY, sides[1]))
    if names == [False, True]:
        return Seq(("[" if closed else "(") + ")", (sides[0], _INFINITY))
    return _distance(sides, closed=closed)


def _is_unknown(side: Shape) -> bool:
    return (
        isinstance(side, Leaf)
        and is_name(side.text)
        and "|" not in side.text
        and side.text not in _ENDS
    )


def _distance(sides: tuple[Shape, ...], *, closed: bool) -> Shape | None:
    """|x| < a as (-a, a), and a < |x| as the two rays outside, for a positive number a."""
    low, high = sides
    if not isinstance(low, Leaf) or not isinstance(high, Leaf):
        return None
    inside = _is_bars(low.text)
    bound = high if inside else low
    if inside == _is_bars(high.text) or not _position(bound) > 0:
        return None
    minus = Leaf(f"-({bound.text})")
    if inside:
        return Seq("[]" if closed else "()", (minus, bound))
    left = Seq("(]" if closed else "()", (_MINUS_INFINITY, minus))
    return Seq("U", (left, Seq("[)" if closed else "()", (bound, _INFINITY))))


def _is_bars(text: str) -> bool:
    return text[:1] == "|" == text[-1:] and text[1:-1].isalpha() and len(text) == 3


@dataclass(frozen=True, slots=True)
class _Piece:
    """An interval with its ends as written; a single point is closed with twice the same end."""

    low: Leaf
    high: Leaf
    low_closed: bool
    high_closed: bool

    def shape(self) -> Seq:
        if self.low == self.high:
            return Seq("{}", (self.low,))
        return Seq(
            ("[" if self.low_closed else "(") + ("]" if self.high_closed else ")"),
            (self.low, self.high),
        )


class _UnknownOrderError(Exception):
    """Two ends whose order, or whether they are the same, cannot be told."""


def _position(end: Leaf) -> float:
    """The float value of an end; not a number where it has none."""
    text = squash(end.text)
    if text in _ENDS:
        return _ENDS[text]
    node = quantity(end.text).node
    found = approximate(node) if node is not None else None
    return math.nan if found is None or found[0].imag else found[0].real


def _order(left: Leaf, right: Leaf) -> int:
    """-1, 0 or 1 as `left` lies below, on or above `right`."""
    if left == right:
        return 0
    a, b = _position(left), _position(right)
    if math.isnan(a) or math.isnan(b):
        raise _UnknownOrderError
    if a == b and math.isinf(a):
        return 0
    if abs(a - b) > _NEAR * max(1.0, min(abs(a), abs(b))):
        return -1 if a < b else 1
    if not _same_number(left, right):
        raise _UnknownOrderError
    return 0


def _same_number(left: Leaf, right: Leaf) -> bool:
    nodes = quantity(left.text).node, quantity(right.text).node
    if nodes[0] is None or nodes[1] is None:
        return False
    try:
        return nodes[0] == nodes[1] or exact(nodes[0]) == exact(nodes[1])
    except NotExactError:
        return False


def _pieces(item: Shape) -> list[_Piece] | None:
    """The intervals and points of a set; None where it is none."""
    if not isinstance(item, Seq):
        return None
    if item.brackets == "U":
        parts = [_pieces(part) for part in item.items]
        return None if None in parts else [piece for part in parts if part for piece in part]
    leaves = [part for part in item.items if isinstance(part, Leaf)]
    if len(leaves) != len(item.items):
        return None
    if item.brackets == "{}":
        return [_Piece(leaf, leaf, low_closed=True, high_closed=True) for leaf in leaves]
    if item.brackets in _INTERVALS and len(leaves) == 2:
        low, high = leaves
        ends = item.brackets
        return [_Piece(low, high, low_closed=ends[0] == "[", high_closed=ends[1] == "]")]
    return None


def _put_together(pieces: list[_Piece]) -> Shape | None:
    if all(piece.low == piece.high for piece in pieces):
        return Seq("{}", tuple(piece.low for piece in pieces))
    shapes = tuple(piece.shape() for piece in pieces)
    return shapes[0] if len(shapes) == 1 else Seq("U", shapes)


def _union(parts: tuple[Shape, ...]) -> Shape | None:
    """Parts in ascending order, those that touch made one."""
    if all(isinstance(part, Seq) and part.brackets == "{}" for part in parts):
        items = [item for part in parts if isinstance(part, Seq) for item in part.items]
        return Seq("{}", tuple(dict.fromkeys(items)))
    pieces = _pieces(Seq("U", parts))
    if pieces is None or any(math.isnan(_position(piece.low)) for piece in pieces):
        return None
    pieces.sort(key=lambda piece: (_position(piece.low), not piece.low_closed))
    joined = pieces[:1]
    try:
        for piece in pieces[1:]:
            gap = _order(joined[-1].high, piece.low)
            if gap > 0 or (gap == 0 and (joined[-1].high_closed or piece.low_closed)):
                joined[-1] = _joined(joined[-1], piece)
            else:
                joined.append(piece)
    except _UnknownOrderError:
        return None
    return _put_together(joined)


def _joined(left: _Piece, right: _Piece) -> _Piece:
    order = _order(left.high, right.high)
    if order > 0:
        return left
    closed = right.high_closed or (order == 0 and left.high_closed)
    return replace(left, high=right.high, high_closed=closed)


def _without(base: Shape, removed: Shape) -> Shape | None:
    """A set of intervals without some points."""
    pieces = _pieces(base)
    if pieces is None or not isinstance(removed, Seq) or removed.brackets not in _SETS:
        return None
    try:
        for point in removed.items:
            if not isinstance(point, Leaf):
                return None
            pieces = [rest for piece in pieces for rest in _split(piece, point)]
    except _UnknownOrderError:
        return None
    return _put_together(pieces) if pieces else Leaf("\\emptyset")


def _split(piece: _Piece, point: Leaf) -> list[_Piece]:
    """What is left of an interval when a point is taken out."""
    low, high = _order(piece.low, point), _order(point, piece.high)
    if low > 0 or high > 0:
        return [piece]
    if low == 0 and high == 0:
        return []
    if low == 0:
        return [replace(piece, low_closed=False)]
    if high == 0:
        return [replace(piece, high_closed=False)]
    return [
        replace(piece, high=point, high_closed=False),
        replace(piece, low=point, low_closed=False),
    ]


def _solution(item: Seq) -> Shape:
    """Inequalities joined by "or" or "and" as a set of numbers; as a list where that is unclear."""
    relations = [part for part in item.items if isinstance(part, Relation)]
    plain = Seq("", item.items)
    names = {_unknown_of(relation) for relation in relations}
    sets = [as_set(relation) for relation in relations]
    if len(names) != 1 or None in names or None in sets:
        return plain
    found = tuple(canonical(part) for part in sets if part is not None)
    return (_union(found) if item.brackets == "or" else _intersection(found)) or plain


def _unknown_of(relation: Relation) -> str | None:
    for side in relation.sides:
        if isinstance(side, Leaf) and (_is_unknown(side) or _is_bars(side.text)):
            return side.text.strip("|")
    return None


def _intersection(parts: Iterable[Shape]) -> Shape | None:
    pieces = _pieces(_LINE)
    try:
        for part in parts:
            others = _pieces(part)
            if pieces is None or others is None:
                return None
            pieces = [c for a in pieces for b in others if (c := _common(a, b)) is not None]
    except _UnknownOrderError:
        return None
    return _put_together(pieces) if pieces else Leaf("\\emptyset")


def _common(a: _Piece, b: _Piece) -> _Piece | None:
    below = _order(a.low, b.low)
    above = _order(a.high, b.high)
    low, high = (b if below < 0 else a), (a if above < 0 else b)
    low_closed = a.low_closed and b.low_closed if below == 0 else low.low_closed
    high_closed = a.high_closed and b.high_closed if above == 0 else high.high_closed
    order = _order(low.low, high.high)
    if order > 0 or (order == 0 and not (low_closed and high_closed)):
        return None
    return _Piece(low.low, high.high, low_closed, high_closed)
