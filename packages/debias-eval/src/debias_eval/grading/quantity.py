r"""One value as people write it: 7 3/4, 28 %, \$18, 90^\circ, 5 cm, 3e5, (A), Even."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from debias_eval.grading.expression import parse
from debias_eval.grading.limits import LimitExceededError
from debias_eval.grading.tree import Node, Num, Op, ParseError, Sym
from debias_eval.grading.units import split_percent, split_unit, strip_currency

_MIXED_PLAIN = re.compile(r"^([-+]?)(\d+)\s+(?:and\s+)?(\d+)\s*/\s*(\d+)$")
_GROUPED = re.compile(
    r"^(?P<before>[-+]?\s*(?:\\\$|[€£¥₹])?\s*[-+]?)"
    r"(?P<number>\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?)"
    r"(?P<after>(?:\s*(?:\\?%|\\text|\\\$|[A-Za-z€£¥₹^\\]).*)?)$"
)
_SCIENTIFIC = re.compile(r"^([-+]?(?:\d+\.?\d*|\.\d+))\s*[eE]\s*([-+]?\d+)$")
_WHOLE_TEXT = re.compile(r"^\\text\{([^{}]*)\}$")
_MOD = re.compile(r"\s*\\(?:pmod|mod|bmod)\s*(?:\{[^{}]*\}|\d+)$|\s*\(\\mod\s*\d+\)$")
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_MIN_CERTAIN_LETTERS = 4
_MAX_SCIENTIFIC_EXPONENT = 400
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALE = re.compile(
    r"^(?P<number>[-+]?\s*(?:\d+(?:,\d{3})*\.?\d*|\.\d+))\s*(?:\\text\s*\{\s*)?"
    rf"(?P<scale>{'|'.join(_SCALES)})\b\s*\}}?\s*(?:\\text\s*\{{)?(?P<rest>[A-Za-z /.]*)\}}?$"
)
_ARTICLE = re.compile(r"^(?:a|an|the)\s+(?=\S)")
_NOT_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with what stood around it.

    Attributes:
        text: The value without percent sign, currency, degree sign and unit.
        percent: Whether a percent sign or word followed.
        unit: The canonical unit, None where there is none.
        node: The value's tree; None where it is not in the grammar.
    """

    text: str
    percent: bool
    unit: str | None
    node: Node | None


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity:
    """Read one leaf of an answer's shape.

    Raises:
        LimitExceededError: A number is too large to be written out.
    """
    text = text.strip()
    if (match := _WHOLE_TEXT.match(text)) is not None:
        text = match[1].strip()
    text, percent = split_percent(_scaled(strip_currency(text)))
    text, unit = split_unit(text.strip())
    text = _MOD.sub("", _plain_number(strip_currency(text.strip())))
    text = _NUMBER_WORDS.get(text.lower(), text)
    return Quantity(text, percent, unit, _tree(text))


def _scaled(text: str) -> str:
    r"""``3.2\text{ million dollars}`` as ``3.2*10^{6}\text{dollars}``."""
    match = _SCALE.match(text)
    if match is None:
        return text
    rest = match["rest"].strip()
    number = match["number"].replace(",", "").replace(" ", "")
    return f"{number}*10^{{{_SCALES[match['scale']]}}}" + (f"\\text{{{rest}}}" if rest else "")


def ungrouped(text: str) -> str:
    """The text without thousands separators, where it is one number with what goes with it."""
    match = _GROUPED.match(text)
    if match is None:
        return text
    return match["before"] + re.sub(r"[, ]", "", match["number"]) + match["after"]


def _plain_number(text: str) -> str:
    if (match := _MIXED_PLAIN.match(text)) is not None:
        return f"{match[1]}({match[2]}+{match[3]}/{match[4]})"
    if (match := _SCIENTIFIC.match(text)) is not None:
        if len(match[2]) > 5 or abs(int(match[2])) > _MAX_SCIENTIFIC_EXPONENT:
            raise LimitExceededError("an exponent of more than 400")
        return f"{match[1]}*10^{{{match[2]}}}"
    return text


def _tree(text: str) -> Node | None:
    try:
        return parse(text)
    except ParseError:
        return None


def decimal_of(node: Node | None) -> Num | None:
    """The number where a tree is one written decimal (with its sign), else None."""
    if isinstance(node, Op) and node.kind == "neg":
        inner = decimal_of(node.args[0])
        return None if inner is None else Num(-inner.value, inner.places)
    return node if isinstance(node, Num) and node.places is not None else None


@dataclass(frozen=True, slots=True)
class Words:
    r"""An answer in words, in comparable form.

    Attributes:
        text: Lower case, without punctuation.
        certain: Whether these can only be words: ``\text{Yes}``, ``ellipse``. A few bare letters
            (``yes``, ``AB``) may be a product, and are words only against words.
    """

    text: str
    certain: bool


def words_of(text: str) -> Words | None:
    r"""An answer in words (``\text{(C)}`` is ``c``); None for a value."""
    plain = _TEXT.sub(r"\1", text)
    if "\\" in plain or not re.search(r"[A-Za-z]", plain) or re.search(r"[=^_+*/<>]", plain):
        return None
    letters = re.findall(r"[A-Za-z]+", plain)
    long = max(map(len, letters)) >= _MIN_CERTAIN_LETTERS
    spoken = _ARTICLE.sub("", _NOT_WORD.sub(" ", plain).strip().lower())
    return Words(spoken, long or "\\text" in text)


def agrees_as_decimal(decimal: Num, value: Fraction) -> bool:
    """Whether a decimal is `value` rounded or cut off at the digits that it gives.

    At least four decimal places or five significant digits are asked for: 0.3333 is 1/3 and
    3.1416 is π, while 3.14 and 0.33 are other numbers. Whole numbers are exact: 12.00001 is not 12.
    """
    if decimal.value == value:
        return True
    places = decimal.places or 0
    if value.denominator == 1 or not is_precise(decimal):
        return False
    scaled = abs(value) * 10**places
    written = abs(decimal.value) * 10**places
    same_sign = (decimal.value < 0) == (value < 0)
    return same_sign and (abs(scaled - written) <= Fraction(1, 2) or 0 <= scaled - written < 1)


def is_precise(decimal: Num) -> bool:
    """Whether a decimal gives enough digits to stand for a value that it is not equal to."""
    places = decimal.places or 0
    digits = len(str(abs(decimal.value.numerator * 10**places // decimal.value.denominator)))
    return (places >= 4 and digits >= 4) or digits >= 5


def is_name(text: str) -> bool:
    """Whether a text names something (``x``, ``f(2)``, ``|AB|``, ``V_1:V_2``): no value itself."""
    if not re.search(r"[A-Za-z]", text) or text in {"e", "i"}:
        return False
    outside = re.sub(r"\((?:[^()]|\([^()]*\))*\)|\{[^{}]*\}", "", text)
    outside = re.sub(
        r"\\(?:angle|triangle|text|overline|mathbb|alpha|beta|theta|lambda|frac|phi|mu|sigma|rho|omega|gamma|delta|Delta|vec)(?![a-zA-Z])",
        "",
        outside,
    )
    return not re.search(r"[-+*^<>=\\!]|(?<![A-Za-z_])\d", outside)


def is_opaque(node: Node) -> bool:
    """Whether infinity or a numeral in another base stands in a tree: equal as written, or not."""
    if isinstance(node, Op):
        return node.kind == "base" or any(is_opaque(arg) for arg in node.args)
    return isinstance(node, Sym) and node.name == "infty"
