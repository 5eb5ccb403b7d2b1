r"""What an equation, a membership or an inequality says about a name."""

from __future__ import annotations

import re

from debias_eval.grading.quantity import is_name
from debias_eval.grading.structure import EQ, NE, Leaf, Relation, Seq, Shape

APPROX = "\\approx"
IN = "\\in"
FLIP = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", EQ: EQ, NE: NE}
"""What an operator becomes where the two sides change places."""

UPWARD = frozenset({"<", "\\le"})
DOWNWARD = frozenset({">", "\\ge"})
_PLAIN_NUMBER = re.compile(r"^\s*[\d.,:]+\s*$")
_LETTER = re.compile(r"(?<!\\)(?<![A-Za-z])[A-Za-z]")


def is_named(relation: Relation) -> bool:
    """Whether a relation's first side is a name, or a tuple of names."""
    first = relation.sides[0]
    if isinstance(first, Leaf):
        return is_name(first.text)
    return isinstance(first, Seq) and all(
        isinstance(i, Leaf) and is_name(i.text) for i in first.items
    )


def is_inequality(relation: Relation) -> bool:
    """Whether every operator compares sizes."""
    return all(op in UPWARD | DOWNWARD for op in relation.operators)


def shortened(relation: Relation) -> Relation:
    r"""``x = 5+5+1 = 1/3 \\approx 0.33`` says x = 1/3."""
    sides, operators = relation.sides, relation.operators
    if EQ in operators and APPROX in operators:
        cut = operators.index(APPROX)
        sides, operators = sides[: cut + 1], operators[:cut]
    if operators == (APPROX,):
        operators = (EQ,)
    if len(sides) > 2 and set(operators) == {EQ}:
        return Relation((sides[0], sides[-1]), (EQ,))
    return Relation(sides, operators)


def value_of(relation: Relation) -> Shape | None:
    """What an assignment or membership assigns; None for an equation or inequality."""
    chained = len(relation.sides) > 2
    short = shortened(relation)
    if len(short.sides) != 2:
        return None
    (operator,) = short.operators
    if operator in {EQ, IN} and (is_named(short) or (chained and operator == EQ)):
        return short.sides[1]
    return None


def states_constant(relation: Relation) -> bool:
    """Whether something is worked out, as in ``2+3 = 5``: then it answers 5."""
    first = relation.sides[0]
    return (
        set(relation.operators) == {EQ}
        and isinstance(first, Leaf)
        and not _LETTER.search(first.text)
    )


def works_out(relation: Relation) -> bool:
    """`states_constant` of a reference: its first side is no answer itself, as 7 is in 7 = a."""
    first = relation.sides[0]
    plain = isinstance(first, Leaf) and _PLAIN_NUMBER.match(first.text) is not None
    return states_constant(relation) and not plain
