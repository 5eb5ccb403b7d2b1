r"""Units, currencies and percent signs that may stand beside a number.

Units come from a list and are never single letters in plain text: a list with ``m``, ``g`` or
``a`` in it turns ``x+a`` and ``x+c`` into the same answer. Inside ``\text{...}`` after a number a
single letter cannot be a variable, so it counts as a unit there.
"""

from __future__ import annotations

import re

# alias -> canonical name; two different canonical names never match each other
_CANONICAL: dict[str, str] = {}
for _names in (
    "mm millimeter millimeters millimetre millimetres",
    "cm centimeter centimeters centimetre centimetres",
    "m meter meters metre metres",
    "km kilometer kilometers kilometre kilometres",
    "in inch inches",
    "ft foot feet",
    "yd yard yards",
    "mi mile miles",
    "mg milligram milligrams",
    "g gm gram grams",
    "kg kilogram kilograms",
    "lb lbs pound pounds",
    "oz ounce ounces",
    "ton tons tonne tonnes",
    "ml milliliter milliliters millilitre millilitres",
    "l liter liters litre litres",
    "gal gallon gallons",
    "qt quart quarts",
    "cup cups",
    "s sec secs second seconds",
    "min mins minute minutes",
    "h hr hrs hour hours",
    "day days",
    "week weeks",
    "month months",
    "yr yrs year years",
    "mi/h mph",
    "km/h kmh kph",
    "dollar dollars usd buck bucks",
    "cent cents",
    "euro euros eur",
    "yuan rmb",
    "rupee rupees rs",
    "degree degrees deg",
    "radian radians rad",
    "unit units",
    "w watt watts",
    "kw kilowatt kilowatts",
    "j joule joules",
    "n newton newtons",
    "hz hertz",
    "ohm ohms",
    "am a.m. a.m",
    "pm p.m. p.m",
    "acre acres",
    "hectare hectares",
    "dozen dozens",
):
    _first, *_ = _names.split()
    for _name in _names.split():
        _CANONICAL[_name] = _first

KNOWN_UNITS = frozenset(_CANONICAL)
"""Every spelling of a unit that is known."""

# nouns that are counted: any of them may be left out
_NOUNS = frozenset({
    "apple", "apples", "ball", "balls", "book", "books", "boy", "boys", "car", "cars", "card",
    "cards", "chicken", "chickens", "child", "children", "choice", "choices", "coin", "coins",
    "color", "colors", "cookie", "cookies", "customer", "customers", "digit", "digits", "edge",
    "edges", "egg", "eggs", "employee", "employees", "face", "faces", "game", "games", "girl",
    "girls", "hand", "hands", "house", "houses", "integer", "integers", "item", "items", "kid",
    "kids", "man", "marble", "marbles", "meal", "meals", "member", "members", "men",
    "mile-per-hour", "number", "numbers", "outcome", "outcomes", "page", "pages", "pair",
    "pairs", "path", "paths", "pen", "pens", "pencil", "pencils", "people", "person", "piece",
    "pieces", "player", "players", "point", "points", "possibility", "possibilities", "problem",
    "problems", "question", "questions", "root", "roots", "school", "schools", "share",
    "shares", "side", "sides", "solution", "solutions", "square", "squares", "step", "steps",
    "student", "students", "subset", "subsets", "teacher", "teachers", "team", "teams", "term",
    "terms", "ticket", "tickets", "time", "times", "toy", "toys", "tree", "trees", "triangle",
    "triangles", "value", "values", "vertex", "vertices", "way", "ways", "woman", "women",
    "word", "words", "work", "worker", "workers", "zero", "zeros", "zeroes", "calorie",
    "calories", "bacteria", "bag", "bags", "bottle", "bottles", "box", "boxes", "dog", "dogs",
    "cat", "cats", "fish", "flower", "flowers", "total", "more", "less", "left", "each", "old",
    "away", "per",
})  # fmt: skip
_MODIFIERS = frozenset({
    "square", "squared", "sq", "cubic", "cubed", "cu", "per", "of", "the", "a", "an",
})  # fmt: skip
_COMPOUND = re.compile(r"^(?P<body>.*\d)\s+(?P<unit>(?:[km]?m|ft|mi)/(?:s|h|hr|min))$", re.DOTALL)
_CONNECTORS = frozenset({"and", "or", "if", "for", "when", "where", "with", "not", "to", "mod"})

_WORD = re.compile(r"[A-Za-z][A-Za-z.\-']*")
_TRAILING_PLAIN = re.compile(
    r"^(?P<body>.*[\d})\]!])\s*(?P<unit>[A-Za-z][A-Za-z.\-/ ]*?)"
    r"(?:\s*\^\s*\{?(?P<power>[23])\}?)?\s*\.?$",
    re.DOTALL,
)
_TRAILING_TEXT = re.compile(
    r"^(?P<body>.*?\S)\s*\\text\s*\{(?P<unit>[^{}]*)\}(?:\s*\^\s*\{?(?P<power>[23])\}?)?\s*\.?$",
    re.DOTALL,
)
_PERCENT = re.compile(
    r"\s*(?:\\?%|\\text\{\s*(?:per\s?cent|percentage|pct)\s*\}|\bper\s?cent(?:age)?\b|\bpct\b)\.?\s*$",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"^\s*([-+]?)\s*(?:\\\$|\$|€|£|¥|₹|\\pounds|\\text\{\s*\$\s*\}|[Rr]s\.)\s*")
_DEGREE = re.compile(
    r"^(?P<body>.*\S)\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})\s*(?:[CF]|\\text\{[^{}]*\})?\s*$",
    re.DOTALL,
)
_ANGLE_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_SQUARE = frozenset({"square", "squared", "sq"})
_CUBIC = frozenset({"cubic", "cubed", "cu"})


def is_unit_word(word: str) -> bool:
    """Whether a plain word of two letters or more is a unit, a counted noun or goes with one."""
    word = word.lower()
    if len(word) < 2:
        return False
    return (
        word in _CANONICAL or word.rstrip(".") in _CANONICAL or word in _NOUNS or word in _MODIFIERS
    )


def split_percent(text: str) -> tuple[str, bool]:
    """The text without its trailing percent sign or word, and whether there was one."""
    shorter = _PERCENT.sub("", text)
    return (shorter, True) if shorter != text and shorter.strip() else (text, False)


def strip_currency(text: str) -> str:
    """The text without a currency sign in front (the sign of the number stays)."""
    return _CURRENCY.sub(r"\1", text, count=1)


def split_unit(text: str) -> tuple[str, str | None]:
    r"""A quantity's number and its unit in canonical form (None where it has none).

    ``15\text{ cm}^2`` and ``15 square centimeters`` have the unit ``cm^2``; ``90^\circ`` has
    ``degree``. A counted noun has the empty unit: it may be left out, and says nothing against
    another one.
    """
    match = _DEGREE.match(text)
    if match is not None and not _ANGLE_FUNCTION.search(match["body"]):
        return match["body"], "degree"
    match = _TRAILING_TEXT.match(text)
    if match is not None:
        words = _words(match["unit"])
        if words and not _CONNECTORS.intersection(words) and _is_numeric_body(match["body"]):
            return match["body"], _canonical(words, match["power"])
        return text, None
    match = _COMPOUND.match(text)
    if match is not None:  # "15 m/s": no product, since a space and a slash stand there
        return match["body"], _canonical(_words(match["unit"]), None)
    match = _TRAILING_PLAIN.match(text)
    if match is not None:
        words = _words(match["unit"])
        if words and all(is_unit_word(w) for w in words):
            return match["body"], _canonical(words, match["power"])
    return text, None


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.split(r"[\s/]+", text.strip(" .,")) if word]


def _is_numeric_body(body: str) -> bool:
    r"""Whether what stands before ``\text{...}`` is a value rather than more words."""
    return bool(re.search(r"[\d})\]]|\\pi|[a-z]$", body)) and "\\text" not in body


def _canonical(words: list[str], power: str | None) -> str:
    exponent = power or (
        "2" if _SQUARE.intersection(words) else "3" if _CUBIC.intersection(words) else ""
    )
    names = [_name_of(word) for word in words if word not in _MODIFIERS]
    if not names or None in names:
        return ""
    return "/".join(name for name in names if name is not None) + (
        f"^{exponent}" if exponent else ""
    )


def _name_of(word: str) -> str | None:
    return _CANONICAL.get(word) or _CANONICAL.get(word.rstrip("."))
