r"""The ``minerva`` profile: normalisation of Lewkowycz et al. (2022), appendix D.

As in lm-evaluation-harness's ``minerva_math``: the answer stands in "Final Answer: The final
answer is … I hope it is correct.", is normalised by replacements, and is right where the texts are
equal or where the difference of the two LaTeX expressions simplifies to 0. Differences: the last
box counts where that sentence is missing (the harness scores such responses as wrong, a protocol
for instruction-tuned models cannot), and the symbolic test runs in a limited worker process.
"""

from __future__ import annotations

import re

from debias_eval.grading.extract import is_bare, last_box

_SENTENCE = re.compile(
    r"Final Answer: The final answer is(.*?)\. I hope it is correct\.", re.DOTALL
)
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
_SQRT = re.compile(r"sqrt([^{])")


def extract(response: str) -> str | None:
    """The normalised answer of the last final-answer sentence, else of the last box."""
    found = _SENTENCE.findall(response + " I hope it is correct.")
    answer = found[-1] if found else last_box(response)
    if answer is None and is_bare(response.strip()):
        answer = response
    return None if answer is None else normalize(answer)


def normalize(answer: str) -> str:
    """The paper's normal form of an answer."""
    answer = answer.strip().split("=")[-1]
    for before, after in _REPLACED:
        answer = answer.replace(before, after)
    for expression in _REMOVED:
        answer = answer.replace(expression, "")
    answer = _MATH.sub(r"$\1$", answer)
    for pattern in _UNWRAPPED:
        answer = pattern.sub(r"\1", answer)
    answer = _FRAC.sub(r"frac{\1}{\2}", answer)
    answer = _SQRT.sub(r"sqrt{\1}", answer).replace("$", "")
    return answer.replace(",", "") if answer.replace(",", "").isdecimal() else answer


def equal(reference: str, prediction: str) -> bool | None:
    """True where the texts are equal, else None: the worker compares the expressions."""
    return True if reference == prediction else None
