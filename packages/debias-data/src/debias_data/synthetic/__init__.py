"""Synthetic gender-balanced word problems, two prompts a pair, written from own templates.

Pure Python: hundreds to thousands of distinct clusters, every answer known, nothing downloaded.
"""

from debias_data.synthetic.names import NamePool
from debias_data.synthetic.problems import (
    Arithmetic,
    NeutralProblem,
    ProblemPair,
    Prompt,
    Span,
    iter_neutral,
    iter_pairs,
)
from debias_data.synthetic.rows import PairRow, SpanRow, answer_number, iter_rows
from debias_data.synthetic.templates import Domain, Operation

__all__ = [
    "Arithmetic",
    "Domain",
    "NamePool",
    "NeutralProblem",
    "Operation",
    "PairRow",
    "ProblemPair",
    "Prompt",
    "Span",
    "SpanRow",
    "answer_number",
    "iter_neutral",
    "iter_pairs",
    "iter_rows",
]
