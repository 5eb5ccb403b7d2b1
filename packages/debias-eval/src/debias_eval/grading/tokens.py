"""Answers as tokens: numbers, commands, letters and words, signs."""

from __future__ import annotations

import re

FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "exp", "gcd", "lcm", "max", "min", "det",
})  # fmt: skip
"""Functions of the grammar, with or without a backslash."""

MIN_WORD = 4
"""Letters in a row: up to three are a product (``abc``), more are a word (``east``)."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<command>\\[A-Za-z]+|\\.)"
    r"|(?P<word>[A-Za-z]+'*)|(?P<other>\S))"
)
_PLAIN_NAMES = {
    "sqrt": "\\sqrt", "pi": "\\pi", "ln": "\\ln", "log": "\\log", "infinity": "\\infty",
    "inf": "\\infty", "oo": "\\infty", **{name: f"\\{name}" for name in FUNCTIONS},
}  # fmt: skip
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")


def tokenize(text: str) -> list[str]:
    """The tokens of a normal form; letters in a row are split into a product of letters."""
    text = _TEXT.sub(lambda m: f" {_text_name(m[1])} ", text)
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        value = match[0].strip()
        if kind == "word":
            tokens.extend(_split_word(value))
        elif value:
            tokens.append(value)
    return tokens


def _text_name(content: str) -> str:
    name = re.sub(r"[^A-Za-z]", "", content)
    return name or " "


def _split_word(word: str) -> list[str]:
    if word in _PLAIN_NAMES:
        return [_PLAIN_NAMES[word]]
    for name in ("sqrt", "pi"):
        # "2pi", "xsqrt(2)": a known name at the end of a run of letters
        if word.endswith(name) and len(word) > len(name) and len(word) - len(name) < MIN_WORD:
            return [*word[: -len(name)], _PLAIN_NAMES[name]]
    if len(word.rstrip("'")) >= MIN_WORD:
        return [word]
    letters: list[str] = []
    for char in word:
        if char == "'" and letters:
            letters[-1] += char
        else:
            letters.append(char)
    return letters
