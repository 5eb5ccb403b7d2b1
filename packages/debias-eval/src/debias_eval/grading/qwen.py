r"""The ``qwen`` profile: the rules of Qwen2.5-Math's evaluation (`evaluation/{parser,grader}.py`).

Written to give its verdicts, which published numbers rest on, its lenient ones included: a relative
tolerance of 1e-4 on all numbers (12000 = 12001), percent by a factor of 100 either way (50 = 0.5),
bracket types ignored, units stripped anywhere, single letters among them. What the original does
by running text as Python or sympy code is done by parsing instead, in limited worker processes (see
`sympy_latex`). What differs: the units are this package's own, with a few words and letters beside
them, not the original's list; text that only Python reads (a set of tuples) or that breaks off
behind an operator is read as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isclose

from debias_eval.grading.extract import is_bare
from debias_eval.grading.units import KNOWN_UNITS

Symbolic = Callable[[str, str], bool]

_RELATIVE_TOLERANCE = 1e-4
_NUMBER = re.compile(r"-?\d*\.?\d+")
_MAX_DIGITS = 4_000
_CHOICE = re.compile(r"\b(A|B|C|D|E)\b")
# what this package calls a unit and the original leaves in its place
_NO_UNITS = frozenset({
    "dollar", "dollars", "usd", "buck", "bucks", "cent", "cents", "euro", "euros", "eur", "yuan",
    "rmb", "week", "weeks", "dozen", "dozens", "in", "foot", "kilogram", "kilograms", "gram",
    "grams", "pound", "pounds", "ounce", "ounces", "oz", "ton", "tons", "cup", "cups",
    "kilometer", "kilometers", "centimeter", "centimeters", "millimeter", "millimeters",
    "radian", "radians", "rad", "degree celsius", "watt", "watts", "joule", "joules", "newton",
    "newtons", "hertz", "hz", "volt", "volts",
})  # fmt: skip
# longest first, or "cm" would leave the c of "cm" behind
_UNITS = sorted(
    {
        *(KNOWN_UNITS - _NO_UNITS),
        *"acdghlmost",
        "east",
        "west",
        "north",
        "south",
        "percent",
        "cubic",
        "square",
    },
    key=lambda unit: (-len(unit), unit),
)
_UNIT_PATTERNS = tuple(
    (unit, re.compile(r"(^|\W)" + re.escape(unit) + r"s?($|\W)")) for unit in _UNITS
)
_UNITS_IN_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS_IN_WORDS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_SMALL_WORDS = {word: value for value, word in enumerate(_UNITS_IN_WORDS)} | {
    word: 10 * value for value, word in enumerate(_TENS_IN_WORDS, start=2)
}
_LARGE_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_SPELLED = (
    ("\\!", ""), ("bmatrix", "pmatrix"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\neq", "\\ne"),
    ("\\leq", "\\le"), ("\\geq", "\\ge"), ("\\left", ""), ("\\right", ""), ("\\{", "{"),
    ("\\}", "}"),
)  # fmt: skip
_DROPPED = (
    "x=", "y=", "z=", "x\\in", "y\\in", "z\\in", "x\\to", "y\\to", "z\\to",
)  # fmt: skip


def extract(response: str) -> str | None:
    """The answer as Qwen's ``extract_answer`` finds it, in normal form."""
    if "final answer is $" in response and "$. I hope" in response:
        answer = response.split("final answer is $", 1)[1].split("$. I hope", 1)[0]
    elif "boxed" in response:
        answer = _boxed(response.rsplit("boxed", maxsplit=1)[-1])
    elif "he answer is" in response:
        answer = response.rsplit("he answer is", maxsplit=1)[-1]
    elif "final answer is" in response:
        answer = response.rsplit("final answer is", maxsplit=1)[-1]
    elif "答案是" in response:
        answer = response.split("答案是")[1].strip().split("\n\n", maxsplit=1)[0]
    elif is_bare(response.strip()):
        answer = response  # a bare answer, which the original never meets
    else:
        numbers = _NUMBER.findall(response.replace(",", ""))
        answer = numbers[-1] if numbers else ""
    answer = (
        re.sub(r"\n\s*", "", answer.strip()).removeprefix(":").removesuffix(".").removesuffix("/")
    )
    return normalize(answer) or None


def _boxed(rest: str) -> str:
    if not rest.startswith("{"):
        return rest.split("$", maxsplit=1)[0].strip()
    depth = 1
    for at, char in enumerate(rest[1:], start=1):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return rest[1:at]
    return rest[1:]


def normalize(answer: str) -> str:
    r"""Qwen's normal form, or the text itself where nothing is left of it.

    ``\text{east}`` consists of units only. The original compares such answers as empty texts, which
    makes east and west the same.
    """
    return strip_string(answer) or answer.strip()


def strip_string(text: str) -> str:
    """Qwen's normal form of an answer."""
    text = text.strip().replace("\n", "").rstrip(".")
    text = re.sub(r"\\begin\{array\}\{.*?\}", r"\\begin{pmatrix}", text)
    text = re.sub(r"\\end\{array\}", r"\\end{pmatrix}", text)
    for before, after in _SPELLED:
        text = text.replace(before, after)
    text = re.sub(r"\\text\{.*?\}$", "", text).strip() or text
    text = _without_units(text)
    text = text.replace("^{\\circ}", "").replace("^\\circ", "")
    for sign in ("\\$", "$", "\\(", "\\)"):
        text = text.replace(sign, "")
    text = _number_words(text)
    text = re.sub(r"\\text\{(.*?)\}", r"\1", text)
    for name in _DROPPED:
        text = text.replace(name, "")
    text = text.replace("\\emptyset", "{}").replace("(-\\infty,\\infty)", "\\mathbb{R}")
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    return _shorthand(_constants(text))


def _number_words(text: str) -> str:
    """The number that the number words of a text make; the text itself where it holds none.

    As in the original everything that is no number word is ignored: "two apples" is 2, and so is
    "2 million" 1000000.
    """
    words = text.replace("-", " ").lower().split()
    found = [w for w in words if w in _SMALL_WORDS or w in _LARGE_WORDS or w == "hundred"]
    if not found:
        return str(int(text)) if text.isdecimal() and len(text) < _MAX_DIGITS else text
    total = part = 0
    for word in found:
        if word in _LARGE_WORDS:
            total, part = total + max(part, 1) * _LARGE_WORDS[word], 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += _SMALL_WORDS[word]
    return str(total + part)


def _without_units(text: str) -> str:
    for _ in range(2):
        for unit, pattern in _UNIT_PATTERNS:
            if unit in text:
                text = pattern.sub(r"\1\2", text) or text
    return text


def _constants(text: str) -> str:
    text = text.replace("infinity", "\\infty")
    if "\\infty" not in text:
        text = text.replace("inf", "\\infty")
    text = text.replace("and", "").replace("\\mathbf", "")
    text = re.sub(r"\\mbox\{.*?\}", "", text)
    if "j" in text and "i" not in text:
        text = text.replace("j", "i")
    text = re.sub(r"(\d+)\.0*([^\d])", r"\1\2", text)
    text = re.sub(r"(\d+)\.0*$", r"\1", text)
    text = f"0{text}" if text.startswith(".") else text
    sides = text.split("=")
    return sides[1] if len(sides) == 2 and len(sides[0]) <= 2 else text


def _shorthand(text: str) -> str:
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac([^{])([^{])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac([^{])(?=\{)", r"\\frac{\1}", text)
    top, slash, bottom = text.partition("/")
    if slash and "/" not in bottom and all(map(_is_fraction_part, (top, bottom))):
        return f"\\frac{{{top}}}{{{bottom}}}"
    return text


def _is_fraction_part(text: str) -> bool:
    return "sqrt" in text or re.fullmatch(r"-?(?:0|[1-9]\d*)", text) is not None


def math_equal(prediction: str, reference: str, symbolic: Symbolic) -> bool:
    """Qwen's ``math_equal``; `symbolic` compares two texts that are no plain numbers.

    Whatever `symbolic` raises passes through.
    """
    prediction, reference = prediction.strip(), reference.strip()
    if prediction.lower() == reference.lower():
        return True
    if reference in {"A", "B", "C", "D", "E"} and _choice(prediction) == reference:
        return True
    if _numbers_equal(prediction, reference):
        return True
    if not prediction:
        return False
    if _without_brackets(prediction, reference):
        return True
    return _structures_equal(prediction, reference, symbolic)


def _choice(text: str) -> str:
    found = _CHOICE.findall(text.upper())
    return found[-1] if found else text.strip().strip(".")


def _numbers_equal(prediction: str, reference: str) -> bool:
    p, r = _digits(prediction), _digits(reference)
    if p is None or r is None:
        return False
    return any(isclose(scaled, p, rel_tol=_RELATIVE_TOLERANCE) for scaled in (r / 100, r, r * 100))


def _digits(text: str) -> float | None:
    text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        pass
    if text.endswith("%"):
        try:
            return float(text.removesuffix("%").removesuffix("\\")) / 100
        except ValueError:
            return None
    return None


def _without_brackets(prediction: str, reference: str) -> bool:
    p, r = prediction, reference
    square = p.startswith("[") and p.endswith("]") and not (r.startswith("(") and r.endswith(")"))
    round_ = p.startswith("(") and p.endswith(")") and not (r.startswith("[") and r.endswith("]"))
    if square or round_:
        p, r = p.strip("[]()"), r.strip("[]()")
    table = str.maketrans("", "", "{}()")
    return p.translate(table).lower() == r.translate(table).lower()


def _structures_equal(prediction: str, reference: str, symbolic: Symbolic) -> bool:
    for rows, columns in ((_list_rows, ","), (_matrix_rows, "&")):
        p, r = rows(prediction), rows(reference)
        if p is not None and r is not None:
            return _rows_equal(p, r, columns, symbolic)
    if prediction.count("=") == 1 and reference.count("=") == 1:
        p_sides, r_sides = (_difference(text) for text in (prediction, reference))
        return symbolic(p_sides, r_sides) or symbolic(f"-({p_sides})", r_sides)
    for text, other in ((prediction, reference), (reference, prediction)):
        if text.count("=") == 1 and len(text.split("=")[0].strip()) <= 2 and "=" not in other:
            value = text.split("=")[1]
            pair = (value, other) if text is prediction else (other, value)
            return math_equal(*pair, symbolic)
    return symbolic(prediction, reference)


def _list_rows(text: str) -> list[str] | None:
    return [text[1:-1]] if re.match(r"[(\[].+[)\]]", text) else None


def _matrix_rows(text: str) -> list[str] | None:
    start, end = "\\begin{pmatrix}", "\\end{pmatrix}"
    if not (text.startswith(start) and text.endswith(end)):
        return None
    return [row.strip() for row in text[len(start) : -len(end)].split("\\\\") if row.strip()]


def _rows_equal(p: list[str], r: list[str], columns: str, symbolic: Symbolic) -> bool:
    p_cells, r_cells = ([row.split(columns) for row in rows] for rows in (p, r))
    if [len(row) for row in p_cells] != [len(row) for row in r_cells]:
        return False
    return all(
        math_equal(a, b, symbolic)
        for p_row, r_row in zip(p_cells, r_cells, strict=True)
        for a, b in zip(p_row, r_row, strict=True)
    )


def _difference(equation: str) -> str:
    left, right = equation.split("=")
    return f"{left.strip()} - ({right.strip()})"
