"""Unions, intersections and differences of intervals whose ends are written, not computed.

Ends are ordered by their floats and taken for the same only where they are the same text or the
same exact number; where neither says enough, the answer is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.floats import approximate
from debias_eval.grading.normalize import squash
from debias_eval.grading.quantity import quantity
from debias_eval.grading.structure import Leaf, Seq, Shape

MINUS_INFINITY, INFINITY = Leaf("-\\infty"), Leaf("\\infty")
LINE = Seq("()", (MINUS_INFINITY, INFINITY))
ENDS = {"-\\infty": -math.inf, "\\infty": math.inf, "+\\infty": math.inf}
_INTERVALS = frozenset({"()", "[]", "[)", "(]"})
_SETS = frozenset({"", "{}"})
_NEAR = 1e-9


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


def position(end: Leaf) -> float:
    """The float value of an end; not a number where it has none."""
    text = squash(end.text)
    if text in ENDS:
        return ENDS[text]
    node = quantity(end.text).node
    found = approximate(node) if node is not None else None
    return math.nan if found is None or found[0].imag else found[0].real


def _order(left: Leaf, right: Leaf) -> int:
    """-1, 0 or 1 as `left` lies below, on or above `right`."""
    if left == right:
        return 0
    a, b = position(left), position(right)
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


def union(parts: tuple[Shape, ...]) -> Shape | None:
    """Parts in ascending order, those that touch made one."""
    if all(isinstance(part, Seq) and part.brackets == "{}" for part in parts):
        items = [item for part in parts if isinstance(part, Seq) for item in part.items]
        return Seq("{}", tuple(dict.fromkeys(items)))
    pieces = _pieces(Seq("U", parts))
    if pieces is None or any(math.isnan(position(piece.low)) for piece in pieces):
        return None
    pieces.sort(key=lambda piece: (position(piece.low), not piece.low_closed))
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


def without(base: Shape, removed: Shape) -> Shape | None:
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


def intersection(parts: Iterable[Shape]) -> Shape | None:
    """The numbers that all parts hold; None where their order cannot be told."""
    pieces = _pieces(LINE)
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
