"""Whether held-out answers are right: judged by a function that the caller brings.

For watching only: nothing stops or is kept by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from debias_core.errors import DataError
from debias_core.sampling.base import Answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class WrittenAnswer(NamedTuple):
    """One answer to a prompt of the held-out data, special tokens left out."""

    pair_id: str
    group: str
    text: str


Grader: TypeAlias = Callable[[Sequence[WrittenAnswer]], Sequence[bool | None]]
"""Says of every answer whether it is right; None where there is nothing to grade by."""


class Grading:
    """Turns token ids into texts, asks a grader, and puts what it says into numbers."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, grader: Grader) -> None:
        self._tokenizer, self._grader = tokenizer, grader

    def __call__(self, prompts: Sequence[tuple[str, str]], answers: Sequence[Answer]) -> np.ndarray:
        """Returns 1 for a right answer, 0 for a wrong one, nan for one that was not graded.

        Args:
            prompts: pair id and group of the prompt of each answer.
            answers: as they were sampled.

        Raises:
            DataError: the grader returned another number of verdicts.
        """
        texts = self._tokenizer.batch_decode(
            [list(answer.tokens) for answer in answers], skip_special_tokens=True
        )
        written = [
            WrittenAnswer(*prompt, text) for prompt, text in zip(prompts, texts, strict=True)
        ]
        verdicts = self._grader(written)
        if len(verdicts) != len(written):
            raise DataError(f"the grader gave {len(verdicts)} verdicts on {len(written)} answers")
        return np.array([np.nan if right is None else right for right in verdicts], dtype=float)


def mean_of_graded(values: np.ndarray) -> float | None:
    """Returns the mean of what is not nan; None where all is."""
    graded = values[~np.isnan(values)]
    return float(graded.mean()) if graded.size else None
