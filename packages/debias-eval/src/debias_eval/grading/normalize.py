"""Spelling differences of LaTeX that never change an answer.

`normalize` is a total function on text: it knows no mathematics and evaluates nothing. Two answers
with the same normal form are the same answer. Spaces between tokens are kept as single spaces,
since they tell ``7 3/4`` from ``73/4``; `squash` removes them for the comparison of texts.
"""

from __future__ import annotations

import re
from functools import lru_cache

# zero-width and direction marks inside a number are suspicious rather than spelling: they stay
_SPACES = dict.fromkeys(
    map(ord, "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"), " "
)
_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "＋": "+", "×": r"\times ", "÷": r"\div ", "·": r"\cdot ",
        "⋅": r"\cdot ", "π": r"\pi ", "∞": r"\infty ", "√": r"\sqrt ", "∪": r"\cup ", "∩": r"\cap ",
        "∈": r"\in ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ",
        "∅": r"\emptyset ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "φ": r"\phi ",
        "λ": r"\lambda ", "∠": r"\angle ", "ℝ": r"\mathbb{R}", "’": "'", "′": "'", "，": ",",
        "：": ":", "（": "(", "）": ")", "½": r"\frac{1}{2}",
        "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
        "²": "^2", "³": "^3", "°": r"^\circ ", "¢": r"\text{ cents}",
    }
)  # fmt: skip

_RENAMED = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom",
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne",
    "mbox": "text", "textbf": "text", "textrm": "text", "textnormal": "text", "textit": "text",
    "textsf": "text", "texttt": "text", "emph": "text", "hbox": "text", "backslash": "setminus",
    "varnothing": "emptyset", "land": "and", "wedge": "and", "lor": "or", "vee": "or",
    "bmatrix": "pmatrix", "to": "rightarrow", "middle": "", "lbrace": "{", "rbrace": "}",
    "lbrack": "[", "rbrack": "]", "vert": "|", "lvert": "|", "rvert": "|", "mid": "|",
    "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "imath": "i",
    "mathbb": "mathbb", "arccos": "arccos", "thinspace": " ", "quad": " ", "qquad": " ",
    "displaystyle": "", "textstyle": "", "limits": "", "left": "", "right": "", "bigl": "",
    "bigr": "", "Bigl": "", "Bigr": "", "big": "", "Big": "", "bigg": "", "Bigg": "", "biggl": "",
    "biggr": "", "boldsymbol": "", "mathbf": "", "bf": "", "bm": "", "mathit": "", "mathsf": "",
    "bold": "", "pmb": "", "nonumber": "", "hfill": "", "hline": "", "rm": "", "space": " ",
    "nobreakspace": " ", "degree": "^\\circ", "pounds": "£", "ast": "*", "slash": "/",
    "langle": "(", "rangle": ")",
    "ge": "ge", "colon": ":", "centerdot": "cdot", "bullet": "cdot", "empty": "emptyset",
}  # fmt: skip
_LITERAL = frozenset(
    {"{", "}", "[", "]", "|", " ", "", "^\\circ", "£", "*", "/", ":", "i", "(", ")"}
)

_COMMAND = re.compile(r"\\([A-Za-z]+)\*?\s*")
_SET_BRACE = re.compile(r"\\([{}])")
_LEFT_RIGHT = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*\.?(?=\s*[(\[{|)\]}\\<>.]|$)"
)
_THIN = re.compile(r"(?<!\\)\\[!,;:>\s]|~")
_GROUPED_COMMA = re.compile(r"(?<=\d)(?:\s*\{\s*,\s*\}|,\\!|\\!,|,\s*\\!)\s*(?=\d{3})")
_GROUPED_THIN = re.compile(r"(?<=\d)(?:\\[,;: !]\s*)+(?=\d{3}(?!\d))")
_ONE_LETTER_ROMAN = re.compile(r"\\(?:mathrm|operatorname|text|mathop)\s*\{\s*([eid]|cm)\s*\}")
_NAMED_FUNCTION = re.compile(
    r"\\(?:mathrm|operatorname|text|mathop)\s*\{\s*\\?(sin|cos|tan|cot|sec|csc|log|ln|exp|gcd|lcm|max|min|"
    r"arcsin|arccos|arctan|sinh|cosh|tanh|det|and|or)\s*\}"
)
_MATHRM = re.compile(r"\\(?:mathrm|operatorname|mathop)\s*\{")
_FRAC_SHORT = re.compile(r"\\frac\s*(?:(\d)\s*(\d)|(\d)\s*(?=\{)|(\{[^{}]*\})\s*(\d))")
_SQRT_SHORT = re.compile(r"\\sqrt\s*([0-9A-Za-z])")
_MATRIX = re.compile(
    r"\\(begin|end)\s*\{\s*(?:[bBsp]?(?:small)?matrix\*?|array)\s*\}(?:\s*\{[lcr|\s]*\})?"
)
_BOLD = re.compile(r"(?<![\w)\]}*])\*\*(?=[^\s*])|(?<=[^\s*])\*\*(?![\w(\[{\\*])")
_ROOT_SIGN = re.compile(r"√\s*(\d+(?:\.\d+)?)")
_SLANTED = re.compile(r"\^\{?(\d+)\}?\s*/\s*_\{?(\d+)\}?")
_QUOTED_NUMBER = re.compile(r"\\text\s*\{\s*(-?\d+(?:\.\d+)?)\s*\}")
_DOTTED = re.compile(r"(?<=\d)(\.\d*)\\dot\s*\{?(\d)\}?")
_DIGITS_GO_ON = re.compile(r"(?<=\d)(\.\d{0,20}?)(\d{1,3}?)\2{2,40}(?:\.\.\.|…|\\l?dots)")
_DOTS = re.compile(r"(\d\.\d+)(?:\.\.\.|…|\\l?dots(?![A-Za-z]))")
_LEADING_RELATION = re.compile(r"^(?:=|\\approx(?![A-Za-z])|\\equiv(?![A-Za-z]))\s*")
_BASES = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_BASE_NAME = re.compile(r"_\s*\{?\s*\\text\s*\{\s*(" + "|".join(_BASES) + r")\s*\}\s*\}?")
_ALIGN = re.compile(r"\\(?:begin|end)\s*\{(?:align|aligned|equation|gather|cases|split)\*?\}")
_LOOSE_SPACE = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
_BRACED_DEGREE = re.compile(r"\^\s*\{\s*\\circ\s*\}")
_SPACE_RUN = re.compile(r"\s+")
_SPACE_AROUND = re.compile(r"\s*([(){}\[\],;:=<>+*/^_|!&])\s*")
_TRAILING = " \t\r\n\f\v.,;:\\"
_PLAIN_OPERATORS = (("<=", r"\le "), (">=", r"\ge "), ("!=", r"\ne "), ("**", "^"), ("==", "="))


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    r"""The normal form of an answer; empty where nothing is left.

    Math delimiters, styles, spacing commands and synonyms of commands go; grouping commas inside
    numbers go (``10,\!080`` and ``10,080`` become ``10080``); a set's braces become ``\{ \}``,
    all others are invisible groups.
    """
    text = _ROOT_SIGN.sub(r"\\sqrt{\1}", _BOLD.sub("", text))
    text = text.translate(_SPACES).translate(_SIGNS)
    text = _strip_delimiters(text)
    text = _GROUPED_COMMA.sub("", text)
    text = _GROUPED_THIN.sub("", text)
    text = _LEFT_RIGHT.sub("", text)
    text = _MATRIX.sub(r"\\\1{pmatrix}", text)
    text = _ALIGN.sub(" ", text)
    text = _THIN.sub(" ", text)
    text = _ONE_LETTER_ROMAN.sub(r" \1 ", text)
    text = _NAMED_FUNCTION.sub(r"\\\1 ", text)
    text = _MATHRM.sub(r"\\text{", text)
    text = _COMMAND.sub(_rename, text)
    for plain, command in _PLAIN_OPERATORS:
        text = text.replace(plain, command)
    text = _written_out(_shorthand(text))
    text = _BRACED_DEGREE.sub(r"^\\circ ", text)
    text = _SPACE_RUN.sub(" ", text)
    text = _SPACE_AROUND.sub(r"\1", text)
    return _inward(_LEADING_RELATION.sub("", text.strip().rstrip(_TRAILING)))


def squash(text: str) -> str:
    """The text without spaces (but those between digits: 1 2 is not 12), to compare as a string."""
    return _LOOSE_SPACE.sub("", text)


def _written_out(text: str) -> str:
    r"""Numbers in rarer notations: ``0.3\dot{6}``, ``0.36...``, ``^3/_4``, ``31_{\text{four}}``."""
    text = _SLANTED.sub(r"\\frac{\1}{\2}", _QUOTED_NUMBER.sub(r"\1", text))
    text = _DOTTED.sub(r"\1\\overline{\2}", text)
    text = _DIGITS_GO_ON.sub(r"\1\\overline{\2}", text)
    text = _DOTS.sub(r"\1", text)
    return _BASE_NAME.sub(lambda match: f"_{{{_BASES.index(match[1]) + 2}}}", text)


def _inward(text: str) -> str:
    """``]0,1[`` as ``(0,1)``."""
    opened, inner, closed = text[:1], text[1:-1], text[-1:]
    outward = opened and opened in "[]" and closed in "[]" and (opened, closed) != ("[", "]")
    if not outward or "[" in inner or "]" in inner or not ("," in inner or ";" in inner):
        return text
    return ("[" if opened == "[" else "(") + inner + ("]" if closed == "]" else ")")


def _rename(match: re.Match[str]) -> str:
    name = match[1]
    renamed = _RENAMED.get(name)
    if renamed is None:
        return f"\\{name} "
    if renamed in _LITERAL:
        return f"\\{renamed}" if name in {"lbrace", "rbrace"} else renamed
    return f"\\{renamed} "


def _strip_delimiters(text: str) -> str:
    r"""The text without math delimiters; ``\$`` stays, since it is money."""
    text = text.replace("\\(", " ").replace("\\)", " ")
    text = re.sub(r"(?<!\\)\\\[", " ", text)
    text = re.sub(r"(?<!\\)\\\]", " ", text)
    # a dollar in front of a number with no closing one is money as well
    if text.count("$") - text.count("\\$") == 1:
        return (
            re.sub(r"(?<!\\)\$(?=\s*[-+]?[\d.])", r"\\$", text)
            .replace("\\$", "\0")
            .replace("$", " ")
            .replace("\0", "\\$")
        )
    return re.sub(r"(?<!\\)\$", " ", text)


def _shorthand(text: str) -> str:
    r"""Braces for the arguments of ``\frac12``, ``\frac1{72}``, ``\sqrt2``."""
    for _ in range(3):
        shorter = _FRAC_SHORT.sub(_brace_frac, text)
        shorter = _SQRT_SHORT.sub(r"\\sqrt{\1}", shorter)
        if shorter == text:
            break
        text = shorter
    return text


def _brace_frac(match: re.Match[str]) -> str:
    if match[1] is not None:
        return f"\\frac{{{match[1]}}}{{{match[2]}}}"
    if match[3] is not None:
        return f"\\frac{{{match[3]}}}"
    return f"\\frac{match[4]}{{{match[5]}}}"
