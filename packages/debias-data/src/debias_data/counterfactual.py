"""One problem becomes a pair: the text as it is, its counterpart, and checks that they agree."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from debias_data.config import SplitName
from debias_data.gender.labelling import value_of
from debias_data.gender.marking import mark
from debias_data.gender.reader import Reading, read, read_unscreened
from debias_data.gender.swapping import swap_together
from debias_data.gender.types import OPPOSITE, PlainSpan, Refusal
from debias_data.sources.base import Problem

_DIGITS: Final = re.compile(r"\d+")
# ASCII in lower case, every digit 0, and a space for the separators that `str.split` knows too.
_LOWER: Final = bytes(range(0x1C)) + b"    " + bytes(range(0x20, 256)).lower()
_PLAIN: Final = _LOWER.translate(bytes.maketrans(b"123456789", b"0" * 9))
# All that is no part of a number becomes a space.
_NOT_OF_NUMBERS: Final = bytes(code if code in b"0123456789.," else ord(" ") for code in range(256))
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_MATHS: Final = re.compile(r"(?<!\\)\$[^$\n]+\$|\\\(.+?\\\)|\\\[.+?\\\]", re.DOTALL)
_PROSE: Final = re.compile(r"\\(?:text\w*|mbox|emph)\s*\{[^{}]*\}")
# What the source of a pair ends with whose text had no gender.
MARKED: Final = "+mark"


@dataclass(slots=True)
class Side:
    """One prompt of a pair; `spans` are its markers: start, end, text and what else there is."""

    text: str
    reference: str | None
    spans: Sequence[tuple[int, int, str] | PlainSpan]


@dataclass(slots=True)
class Made:
    """A pair.

    Attributes:
        origin: the gender that was given, `marked` or `published`.
        split: to be set by whoever knows the shares of the splits.
    """

    pair_id: str
    cluster_id: str
    source: str
    domain: str
    origin: str
    confidence: float
    female: Side
    male: Side
    split: SplitName = "train"


class Dropped(NamedTuple):
    """Why a problem became no pair."""

    reason: str
    place: str
    source: str


def content_hash(text: str) -> str:
    """Sixteen hex digits that texts share when they differ in numbers, case and spacing only."""
    if text.isascii():
        plain = b" ".join(text.encode("ascii").translate(_PLAIN).split())
        while b"00" in plain:
            plain = plain.replace(b"00", b"0")
    else:
        plain = _DIGITS.sub("0", " ".join(text.lower().split())).encode("utf-8")
    return hashlib.sha256(plain).hexdigest()[:16]


def make_pair(
    problem: Problem, *, min_confidence: float, opposites: Mapping[str, str] | None = None
) -> Made | Dropped:
    """The pair that `problem` becomes by its operation, or why it becomes none.

    Args:
        problem: its text and reference.
        min_confidence: of the swap, in 0..1; below it there is no pair.
        opposites: counterparts of names, as in `swap`.
    """
    given = read(problem.text)
    value = value_of(given)
    if value == "neutral":
        if problem.operation == "swap":
            return _drop(problem, "neutral")
        return _make_marked(problem)
    if problem.operation == "mark":
        return _drop(problem, f"gendered: {value}")
    return _make_swapped(problem, given, min_confidence, opposites)


def _make_swapped(  # noqa: PLR0911 - one return a rule
    problem: Problem,
    given: Reading,
    min_confidence: float,
    opposites: Mapping[str, str] | None,
) -> Made | Dropped:
    genders = given.genders()
    if len(genders) > 1:
        return _drop(problem, "mixed")
    gender = next(iter(genders))
    solution = read_unscreened(problem.reference) if problem.reference is not None else None
    if solution is not None and OPPOSITE[gender] in solution.genders():
        return _drop(problem, "mixed: the other gender is in the reference")
    swapped = swap_together(given, solution, opposites=opposites)
    if isinstance(swapped, Refusal):
        return _drop(problem, f"refused: {swapped.reason}")
    prompt, reference = swapped
    confidence = min(prompt.confidence, reference.confidence if reference else 1.0)
    if confidence < min_confidence:
        return _drop(problem, "low confidence")
    if prompt.read_again(given).genders() != {OPPOSITE[gender]}:
        return _drop(problem, "label of the counterpart is not the opposite")
    if not _same_content(problem.text, prompt.text) or (
        reference is not None and not _same_content(problem.reference or "", reference.text)
    ):
        return _drop(problem, "numbers or formulas would change")
    sides = {
        gender: Side(problem.text, problem.reference, given.plain_spans()),
        OPPOSITE[gender]: Side(
            prompt.text, reference.text if reference is not None else None, prompt.spans
        ),
    }
    return _made(problem, sides["female"], sides["male"], gender, confidence)


def _make_marked(problem: Problem) -> Made | Dropped:
    marked = mark(problem.text, variant=problem.variant)
    if isinstance(marked, Refusal):
        return _drop(problem, f"refused: {marked.reason}")
    female = Side(marked.female, problem.reference, marked.female_spans)
    male = Side(marked.male, problem.reference, marked.male_spans)
    return _made(problem, female, male, "marked", 1.0)


def _made(problem: Problem, female: Side, male: Side, origin: str, confidence: float) -> Made:
    source = problem.source + (MARKED if origin == "marked" else "")
    digest = hashlib.sha256(f"{female.text}\0{male.text}".encode()).hexdigest()[:16]
    cluster = problem.cluster if problem.cluster is not None else content_hash(problem.text)
    return Made(
        pair_id=f"{source}:{digest}",
        cluster_id=f"{problem.source}:{cluster}",
        source=source,
        domain=problem.domain,
        origin=origin,
        confidence=confidence,
        female=female,
        male=male,
    )


def _drop(problem: Problem, reason: str) -> Dropped:
    return Dropped(reason, problem.place, problem.source)


def _same_content(left: str, right: str) -> bool:
    r"""Whether both texts have the same numbers and formulas (prose in `\\text{}` aside)."""
    return _numbers_agree(left, right) and _formulas(left) == _formulas(right)


def _numbers_agree(left: str, right: str) -> bool:
    if left.isascii() and right.isascii() and _number_runs(left) == _number_runs(right):
        return True
    return _NUMBER.findall(left) == _NUMBER.findall(right)


def _number_runs(text: str) -> list[bytes]:
    """What stands together of digits, points and commas; equal runs hold equal numbers."""
    return text.encode("ascii").translate(_NOT_OF_NUMBERS).split()


def _formulas(text: str) -> list[str]:
    if "\\" not in text:
        return []  # without a command, `$` is money as often as not
    return [_PROSE.sub("", formula) for formula in _MATHS.findall(text)]
