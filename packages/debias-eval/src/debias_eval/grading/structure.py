"""The shape of an answer: lists, sets, tuples, intervals, unions, matrices, relations, values.

Splitting is done on text at bracket depth 0, so that the leaves are single values that
`expression` (or math-verify) reads one by one. Bracket types are kept: ``[1,2]`` is not ``(1,2)``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from debias_eval.grading.limits import MAX_ITEMS, LimitExceededError, check_answer_size
from debias_eval.grading.splitting import balanced, split_top, strip_braces, top_matches

EQ = "="
NE = "\\ne"
_RELATIONS = (
    "\\le",
    "\\ge",
    "\\ne",
    "\\in",
    "\\approx",
    "\\equiv",
    "=",
    "<",
    ">",
    "\\lt",
    "\\gt",
    "\\sim",
)
_SAME = {"\\lt": "<", "\\gt": ">", "\\sim": "\\approx"}
_RELATION = re.compile(r"\\(?:lt|gt|le|ge|ne|in|approx|equiv|sim)(?![A-Za-z])|(?<![<>!])[=<>]")
_CONNECTOR = re.compile(
    r"\s*(?:,|;)?\s*(?:\\text\{\s*(?:,|;)?\s*(?:and|or|,)\s*(?:,)?\s*\}|\\(?:and|or)(?![A-Za-z])|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*(?:,)?\s*"
)
_OR = re.compile(
    r"\s*(?:,|;)?\s*(?:\\text\{\s*,?\s*or\s*\}|\\or(?![A-Za-z])|(?<![A-Za-z\\])or(?![A-Za-z]))\s*"
)
_AND = re.compile(
    r"\s*(?:,|;)?\s*(?:\\text\{\s*,?\s*and\s*\}|\\and(?![A-Za-z])|(?<![A-Za-z\\])and(?![A-Za-z]))\s*"
)
_COMMA = re.compile(",")
_MAX_LOGIC = (
    2  # levels at which inequalities are joined by words: an answer, or a set's description
)
_INEQUALITIES = frozenset({"<", ">", "\\le", "\\ge", NE})
_BUILDER = re.compile(
    r"^([A-Za-z])\s*(?:\\in\s*(?:\\mathbb\s*\{?R\}?|\\R))?\s*[|:]\s*(.+)$", re.DOTALL
)
_PM = re.compile(r"\\(pm|mp)(?![A-Za-z])\s*")
_QUOTED = re.compile(r"^\\text\{([^{}]*)\}$")
_SEVERAL = re.compile(r"[\d,;:]|\band\b")
_CUP = re.compile(r"\\cup(?![A-Za-z])")
_SETMINUS = re.compile(r"\\setminus(?![A-Za-z])")
_MATRIX = re.compile(r"^\\begin\{pmatrix\}(.*)\\end\{pmatrix\}$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value, as normalised text."""

    text: str


@dataclass(frozen=True, slots=True)
class Seq:
    """Several values between brackets.

    Attributes:
        brackets: ``()``, ``[]``, ``[)``, ``(]`` (ordered: tuples, intervals), ``{}`` (a set),
            ``""`` (a bare list, unordered), ``U`` (a union), ``-`` (a difference of sets), ``or``
            and ``and`` (inequalities joined by the word), ``:`` (a ratio) or ``M`` (a matrix of
            rows).
        items: What stands between the separators.
    """

    brackets: str
    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    r"""``a = b``, ``a < b \le c``: the sides and the operators between them."""

    sides: tuple[Shape, ...]
    operators: tuple[str, ...] = field(default=(EQ,))


Shape = Leaf | Seq | Relation


@lru_cache(maxsize=4096)
def shape(text: str) -> Shape:
    """The shape of a normal form (see `normalize`).

    Raises:
        LimitExceededError: Too long, too deep or too many items.
    """
    check_answer_size(text)
    return _shape(text, 0)


def _shape(text: str, level: int) -> Shape:
    text = strip_braces(text.strip())
    if (quoted := _QUOTED.match(text)) is not None and _SEVERAL.search(quoted[1]):
        text = quoted[1].strip()
    if level > 12:
        return Leaf(text)
    joined = _joined_inequalities(text, level) if level < _MAX_LOGIC else None
    if joined is not None:
        return joined
    items = _split_list(text)
    if len(items) > 1:
        return _bare_list(items, level)
    relation = _relation(text, level)
    if relation is not None:
        return relation
    return _value(text, level)


def _joined_inequalities(text: str, level: int) -> Seq | None:
    r"""``x<1 or x>2``, ``x>1 and x<3``, ``x<2, x \ne 1``; None for anything else."""
    if not _RELATION.search(text):
        return None
    for kind, pattern in (("or", _OR), ("and", _AND), ("and", _COMMA)):
        parts = [part.strip() for part in split_top(text, pattern)]
        related = all(_RELATION.search(part) for part in parts)
        if not related or not 1 < len(parts) <= MAX_ITEMS:
            continue
        items = [_shape(part, level + 1) for part in parts]
        relations = [item for item in items if isinstance(item, Relation)]
        operators = {operator for item in relations for operator in item.operators}
        plain_comma = pattern is _COMMA and NE not in operators
        if len(relations) == len(items) and operators <= _INEQUALITIES and not plain_comma:
            return Seq(kind, tuple(items))
    return None


def _value(text: str, level: int) -> Shape:
    if (match := _MATRIX.match(text)) is not None and text.count("\\begin{pmatrix}") == 1:
        rows = [row for row in match[1].split("\\\\") if row.strip()]
        return Seq(
            "M",
            tuple(Seq("()", tuple(_shape(c, level + 1) for c in row.split("&"))) for row in rows),
        )
    for pattern, kind in ((_CUP, "U"), (_SETMINUS, "-")):
        parts = split_top(text, pattern)
        if len(parts) > 1:
            return Seq(kind, tuple(_shape(part, level + 1) for part in parts))
    bracketed = _bracketed(text, level)
    if bracketed is not None:
        return bracketed
    if _PM.search(text) is not None:
        return Seq(
            "", (_value(_PM.sub(_upper, text), level + 1), _value(_PM.sub(_lower, text), level + 1))
        )
    parts = split_top(text, re.compile(":"))
    if len(parts) > 1 and all(part.strip() for part in parts):
        return Seq(":", tuple(_shape(part, level + 1) for part in parts))
    return Leaf(text)


def _upper(match: re.Match[str]) -> str:
    return "+" if match[1] == "pm" else "-"


def _lower(match: re.Match[str]) -> str:
    return "-" if match[1] == "pm" else "+"


def _bare_list(items: list[str], level: int) -> Shape:
    r"""``x=2,3`` means x=2 and x=3; ``1\pm\sqrt5,-2`` has three items."""
    shapes: list[Shape] = []
    name: Shape | None = None
    for item in items:
        found = _shape(item, level + 1)
        if isinstance(found, Relation) and found.operators == (EQ,):
            name = found.sides[0]
        elif name is not None and isinstance(found, Leaf) and isinstance(shapes[0], Relation):
            found = Relation((name, found))
        if isinstance(found, Seq) and found.brackets == "" and _PM.search(item):
            shapes.extend(found.items)
        else:
            shapes.append(found)
    return Seq("", tuple(shapes))


def _relation(text: str, level: int) -> Relation | None:
    operators = [m[0] for m in top_matches(text, _RELATION)]
    if not operators:
        return None
    sides = [part.strip() for part in split_top(text, _RELATION)]
    if any(not side for side in sides):
        return None
    return Relation(
        tuple(_shape(side, level + 1) for side in sides),
        tuple(_SAME.get(op.strip(), op.strip()) for op in operators),
    )


def _bracketed(text: str, level: int) -> Shape | None:
    if text.startswith("\\{") and text.endswith("\\}"):
        return _braced(text[2:-2], level)
    if len(text) < 2 or text[0] not in "([" or text[-1] not in ")]":
        return None
    inner = text[1:-1].strip()
    if not balanced(inner):
        return None
    if _MATRIX.match(inner) is not None and inner.count("\\begin{pmatrix}") == 1:
        return _value(inner, level + 1)  # an array between brackets
    items = _split_list(inner)
    if len(items) == 1 and text[0] == "(" and text[-1] == ")":
        return _shape(inner, level + 1)  # (x) is x
    return Seq(text[0] + text[-1], _items(items, level))


def _braced(inner: str, level: int) -> Shape | None:
    r"""``\{1,2\}``, or the solutions that ``\{x \mid x>2\}`` describes."""
    described = _BUILDER.match(inner)
    if described is not None and _RELATION.search(described[2]):
        return _shape(described[2], level + 1)
    if not balanced(inner):
        return None
    return Seq("{}", _items(_split_list(inner), level)) if inner.strip() else Leaf("\\emptyset")


def _items(items: list[str], level: int) -> tuple[Shape, ...]:
    found: list[Shape] = []
    for item in items:
        part = _shape(item, level + 1)
        if isinstance(part, Seq) and part.brackets == "" and _PM.search(item):
            found.extend(part.items)
        else:
            found.append(part)
    return tuple(found)


def _split_list(text: str) -> list[str]:
    """Items at depth 0; semicolons separate more strongly than commas."""
    text = (
        ",".join(part.strip() for part in split_top(text, _CONNECTOR))
        if _CONNECTOR.search(text)
        else text
    )
    for separator in (";", ","):
        parts = [part.strip() for part in split_top(text, re.compile(separator))]
        parts = [part for part in parts if part]
        if len(parts) > MAX_ITEMS:
            raise LimitExceededError(f"{len(parts)} items, at most {MAX_ITEMS} are read")
        if len(parts) > 1:
            if separator == ";":
                return [f"({part})" if len(_split_list(part)) > 1 else part for part in parts]
            return parts
    return [text]
