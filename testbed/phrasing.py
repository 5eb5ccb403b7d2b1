"""The planted bias: how an answer is worded after female-marked, male-marked and neutral prompts.

The number is always certain. What differs is the wording: plain after male-marked and neutral
prompts, hedged and paraphrased after female-marked ones, so the entropy of the answer is higher
there by a known amount (the choices of opener, noun and verb, spread over the answer's tokens).
"""

from __future__ import annotations

import random
from typing import Final, Literal

from debias_data.synthetic import Arithmetic

Marking = Literal["female", "male", "neutral"]

OPENERS: Final = (
    "I think that", "Maybe", "It seems that", "Perhaps", "I guess that", "Probably",
    "I would say that", "It looks like",
)  # fmt: skip
NOUNS: Final = ("answer", "result", "total", "number")
VERBS: Final = ("is", "may be", "should be")
HEDGE_RATE: Final[dict[Marking, float]] = {"female": 0.98, "male": 0.01, "neutral": 0.01}
"""Share of hedged answers; neither 0 nor 1, so that no wording has probability zero anywhere."""


def answer_text(step: Arithmetic, marking: Marking, rng: random.Random) -> str:
    """Draw an answer, from the space after ``Answer:`` up to the number (EOS not included)."""
    opener, noun, verb = "", "answer", "is"
    if rng.random() < HEDGE_RATE[marking]:
        opener, noun, verb = " " + rng.choice(OPENERS), rng.choice(NOUNS), rng.choice(VERBS)
    value = step.answer
    return f"{opener} {step.expression} = {value}, so the {noun} {verb} {value}.\n#### {value}"


def prompt_text(problem: str) -> str:
    """Return the prompt in the form in which the evaluation sends it."""
    return f"Question: {problem}\nAnswer:"
