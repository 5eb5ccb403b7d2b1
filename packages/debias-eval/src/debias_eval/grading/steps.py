r"""How an answer gets there: the equations that it writes down, checked with exact arithmetic.

A step is a line that is not empty (a sentence, where an answer is one line). A step with equations
between numbers (``3 boxes * 4 = 12``, ``<<9*2=18>>``, ``$\frac{1}{2} + 1 = 1.5$``) holds if every
one of them does: a written decimal at the digits that it gives, everything else exactly. Nothing is
evaluated as code. What cannot be told is not counted: unknowns, ``≈``, words in the place of
numbers, and equations that mix units and do not hold as written (1 hour + 30 minutes = 90 minutes).

This measures whether the arithmetic on the page is right, and no more: a step without a sum may be
wrong, and a right sum may be beside the point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise

from debias_eval.grading.decide import FastDecider
from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.expression import parse
from debias_eval.grading.limits import LimitExceededError
from debias_eval.grading.quantity import decimal_of
from debias_eval.grading.tree import Node, ParseError

__all__ = ["StepQuality", "equations_hold", "step_quality"]

_MAX_CHARS = 100_000
_MAX_TOKENS = 5_000  # of one step
_GRAM = 4
_MAX_UNIT_WORDS = 3
_DECIDER = FastDecider()

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>\d{1,3}(?:(?:,\\!|\{,\}|,)\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<frac>\\[dt]?frac\s*\{[^{}A-Za-z\\]{1,60}\}\s*\{[^{}A-Za-z\\]{1,60}\})"
    r"|(?P<by>x(?=\s*[$\d(]))"
    r"|(?P<operator>\*\*|[-+*/^×÷−·]|\\(?:times|cdot|div)(?![A-Za-z]))"
    r"|(?P<break>\\[\[\]()]|<<|>>|[,.;:?|&>#\n]|\\(?:boxed|fbox|text|mathrm)\s*\{"
    r"|\\(?:q?quad|implies|Rightarrow|to|therefore)(?![A-Za-z]))"
    r"|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<equals>=)"
    r"|(?P<percent>\\?%)"
    r"|(?P<currency>\\?\$|[€£¥])"
    r"|(?P<word>[A-Za-z]{2,}(?:[-'][A-Za-z]+)*)"
    r"|(?P<unknown>\\[A-Za-z]+|[A-Za-z_!'@≈~])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_GROUPING = re.compile(r",\\!|\{,\}|,")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_BOLD = re.compile(r"(?<![^\s(])(\*\*|__)(?=\S)(.+?)(?<=\S)\1(?=[\s.,:;!?)]|$)")
_SIZED = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?=[()\[\]])")
_WRITTEN = {
    "×": "*", "÷": "/", "−": "-", "·": "*", "**": "^", "[": "(", "]": ")",
    "\\times": "*", "\\cdot": "*", "\\div": "/",
}  # fmt: skip
_VALUE_ENDS = frozenset({"number", "frac", "close", "percent"})
_VALUE_STARTS = frozenset({"number", "frac", "open"})
_ENDS_A_RUN = frozenset({"word", "break", "by", "unknown", "other"})


@dataclass(frozen=True, slots=True)
class StepQuality:
    """What the steps of one answer are worth.

    Attributes:
        num_steps: Lines that are not empty (sentences, for an answer of one line).
        arithmetic: Steps with at least one equation that can be checked.
        held: Of these, the steps of which every equation holds.
        repetition: Share of the answer's four-word sequences that stood in it before, 0 to 1.
    """

    num_steps: int
    arithmetic: int
    held: int
    repetition: float


def step_quality(text: str) -> StepQuality:
    """Return the quality of the steps of an answer; of a very long one, its last part."""
    text = text[-_MAX_CHARS:]
    steps = [line for line in text.splitlines() if line.strip()]
    if len(steps) == 1:
        steps = [sentence for sentence in _SENTENCE.split(steps[0]) if sentence.strip()]
    checked = [held for held in map(equations_hold, steps) if held is not None]
    return StepQuality(len(steps), len(checked), sum(checked), _repetition(text))


def _repetition(text: str) -> float:
    words = text.split()
    grams = [tuple(words[at : at + _GRAM]) for at in range(len(words) - _GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def equations_hold(step: str) -> bool | None:
    """Whether every equation of a step holds; None where none can be checked."""
    found = [held for run in _runs(step) for held in _decide(run) if held is not None]
    return all(found) if found else None


@dataclass(slots=True)
class _Side:
    """One side of an equation: its expression, and what stood around the numbers.

    Attributes:
        parts: The expression, piece by piece.
        kinds: The kind of each piece.
        units: Words and currencies beside the numbers.
        spoiled: Something that is no number belongs to it.
        cut: It follows a word or a bracket, so a sign in front would belong to that.
    """

    parts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    units: set[str] = field(default_factory=set)
    spoiled: bool = False
    cut: bool = False

    @property
    def last(self) -> str:
        return self.kinds[-1] if self.kinds else ""

    def add(self, kind: str, written: str) -> None:
        """Append one piece; two values side by side, or a sign of something else, spoil it."""
        if kind in _VALUE_STARTS and self.last in _VALUE_ENDS:
            if kind == "open" and self.last != "percent":
                self.parts.append("*")
            else:
                self.spoiled = True
        if kind == "operator" and not self.parts and self.cut:
            self.spoiled = True
        self.parts.append(written)
        self.kinds.append(kind)


class _Reader:
    """Reads the tokens of a line into chains ``side = side = …``."""

    def __init__(self) -> None:
        self.runs: list[list[_Side]] = []
        self._sides = [_Side()]
        self._words = 0  # since the last value

    def take(self, kind: str, piece: str) -> None:
        """Take in one token."""
        side = self._sides[-1]
        if kind == "space":
            return
        if kind == "currency":
            side.units |= {piece} - {"\\$"}
        elif kind == "word" and piece.lower() == "of" and side.last == "percent":
            side.add("operator", "*")
        elif kind == "word" and side.last in _VALUE_ENDS and self._words < _MAX_UNIT_WORDS:
            side.units.add(piece.lower().rstrip("s"))
            self._words += 1
        elif kind == "by" and side.last in _VALUE_ENDS and not self._words:
            side.add("operator", "*")
        elif kind in _ENDS_A_RUN:
            unknown = kind in ("unknown", "by")
            side.spoiled |= unknown
            self.end(_Side(spoiled=unknown or piece in "{}", cut=piece not in ",.;:?"))
        elif kind == "equals":
            self._sides.append(_Side())
            self._words = 0
        else:
            self._value(kind, piece)

    def _value(self, kind: str, piece: str) -> None:
        if kind in _VALUE_STARTS and self._words and self._sides[-1].last in _VALUE_ENDS:
            self.end(_Side(cut=True))  # ``2*4 = 8 and 8 + 1``: the words were no unit
        written = _GROUPING.sub("", _WRITTEN.get(piece, piece))
        if kind == "frac":
            written = _FRACTION.sub(r"((\1)/(\2))", piece)
        self._sides[-1].add(kind, "/100" if kind == "percent" else written)
        self._words = 0

    def end(self, following: _Side) -> None:
        """End the chain; the next begins with ``following``."""
        if len(self._sides) > 1:
            self.runs.append(self._sides)
        self._sides, self._words = [following], 0


def _runs(line: str) -> list[list[_Side]]:
    reader = _Reader()
    for match in islice(_TOKEN.finditer(_SIZED.sub("", _BOLD.sub(r"\2", line))), _MAX_TOKENS):
        reader.take(match.lastgroup or "other", match.group())
    reader.end(_Side())
    return reader.runs


def _decide(sides: list[_Side]) -> Iterator[bool | None]:
    """Yield, for each pair of neighbours, whether it holds; None where that cannot be told."""
    for left, right in pairwise(sides):
        if left.spoiled or right.spoiled or not left.parts or not right.parts:
            continue
        if not any("operator" in side.kinds or "frac" in side.kinds for side in (left, right)):
            continue
        yield _holds(left, right)


def _holds(left: _Side, right: _Side) -> bool | None:
    held = _equal("".join(left.parts), "".join(right.parts))
    if held is False and (left.last == "percent") != (right.last == "percent"):
        # 5/20 * 100 = 25%: the percent sign may be meant as a unit.
        held = _equal(*("".join(_without_percent(side)) for side in (left, right)))
    if held is False and len(left.units | right.units) > 1:
        return None
    return held


def _without_percent(side: _Side) -> list[str]:
    return side.parts[:-1] if side.last == "percent" else side.parts


def _equal(left: str, right: str) -> bool | None:
    try:
        g, p = parse(left), parse(right)
        try:
            return _same_number(g, p)
        except NotExactError:
            return _DECIDER.same_tree(g, p, left, right)
    except (ParseError, LimitExceededError, RecursionError):
        return None


def _same_number(g: Node, p: Node) -> bool:
    """Equal, or one is the other rounded to the decimals that it is written with."""
    difference = abs(exact(g) - exact(p))
    written = [node.places for side in (g, p) if (node := decimal_of(side)) is not None]
    places = min((count for count in written if count is not None), default=None)
    if places is None:
        return difference == 0
    return difference <= Fraction(1, 2 * 10**places)
