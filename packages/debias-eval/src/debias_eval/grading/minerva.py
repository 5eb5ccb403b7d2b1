r"""The ``minerva`` profiles: lm-evaluation-harness's ``minerva_math``, version 3.1 (MIT).

The answer stands in "Final Answer: The final answer is … I hope it is correct.", is normalised by
the replacements of Lewkowycz et al. (2022), appendix D, with the harness's later corrections, and
is right where the texts are equal or the difference of the two LaTeX expressions simplifies to 0
(in a limited worker process here; see `sympy_latex` for how they are read).

``minerva-strict`` takes the answer from that sentence alone, as the harness does. ``minerva`` takes
the last box where the sentence is missing, for models that were not shown the sentence.
"""

from __future__ import annotations

import re

from debias_eval.grading.extract import is_bare, last_box

_SENTENCE = re.compile(r"Final Answer: The final answer is(.*?). I hope it is correct\.")
_REPLACED = (
    ("an ", ""), ("a ", ""), (".$", "$"), ("\\$", ""), ("\\ ", ""), (" ", ""), ("mbox", "text"),
    (",\\text{and}", ","), ("\\text{and}", ","), ("\\text{m}", "\\text{}"),
)  # fmt: skip
_REMOVED = (
    "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units",
    "\\ldots", "sue", "points", "feet", "minutes", "digits", "cents", "degrees", "cm", "gm",
    "pounds", "meters", "meals", "edges", "students", "childrentickets", "multiples", "\\text{s}",
    "\\text{.}", "\\text{\ns}", "\\text{}^2", "\\text{}^3", "\\text{\n}", "\\text{}",
    "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"', "\\dots",
)  # fmt: skip
_UNWRAPPED = (
    re.compile(r"\\text\{(.*?)\}"),
    re.compile(r"\\textbf\{(.*?)\}"),
    re.compile(r"\\overline\{(.*?)\}"),
    re.compile(r"\\boxed\{(.*)\}"),
)
_MATH = re.compile(r"^.*?\$(.*?)\$.*$")
_FRAC = re.compile(r"frac([^{])(.)")
_ROOT_INDEX = re.compile(r"sqrt(\[[^\]]*\])(\w)")
_SQRT = re.compile(r"sqrt(?!\[)([^{])")
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+")
_COMMANDS = re.compile(r"(\\[a-zA-Z]+)")
_WORDS = tuple(word for word in _REMOVED if word.isalpha())
_LONE_WORD = re.compile(rf"(?<!\\)\b(?:{'|'.join(_WORDS)})\b")


def extract_sentence(response: str) -> str | None:
    """The normalised answer of the first final-answer sentence; None where there is none."""
    found = _SENTENCE.search(response + " I hope it is correct.")
    if found is not None:
        return normalize(found[1].strip())
    bare = "Final Answer" not in response and is_bare(response.strip())
    return normalize(response) if bare else None


def extract(response: str) -> str | None:
    """The normalised answer of the last final-answer sentence, else of the last box."""
    found = _SENTENCE.findall(response + " I hope it is correct.")
    answer = found[-1] if found else last_box(response)
    if answer is None and is_bare(response.strip()):
        answer = response
    return None if answer is None else normalize(answer)


def normalize(answer: str) -> str:
    """The harness's normal form of an answer."""
    # unit words go while spaces still tell them apart, then once more where they touch something
    answer = _LONE_WORD.sub("", answer.strip().split("=")[-1])
    for before, after in _REPLACED:
        answer = answer.replace(before, after)
    for expression in _REMOVED:
        answer = _without(answer, expression)
    answer = _MATH.sub(r"$\1$", answer)
    for pattern in _UNWRAPPED:
        answer = pattern.sub(r"\1", answer)
    answer = _FRAC.sub(r"frac{\1}{\2}", answer)
    answer = _SQRT.sub(r"sqrt{\1}", _ROOT_INDEX.sub(r"sqrt\1{\2}", answer)).replace("$", "")
    return answer.replace(",", "") if _GROUPED.fullmatch(answer) else answer


def _without(text: str, expression: str) -> str:
    """`text` without an expression; words stay inside the names of commands (``ft`` in left)."""
    if not expression.isalpha():
        return text.replace(expression, "")
    parts = _COMMANDS.split(text)
    return "".join(p if i % 2 else p.replace(expression, "") for i, p in enumerate(parts))


def equal(reference: str, prediction: str) -> bool | None:
    """True where the texts are equal, else None: the worker compares the expressions."""
    return True if reference == prediction else None
