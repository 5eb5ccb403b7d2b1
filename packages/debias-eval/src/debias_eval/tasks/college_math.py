"""College Math (Tang et al. 2024, https://arxiv.org/abs/2403.02884): problems of nine textbooks.

A row is ``{"question": ..., "answer": "$2$", "data_source": "college_math.algebra"}``, as MathScale
and Qwen2.5-Math publish them. The books have different licences, some of which forbid commercial
use or changed copies, so the file is never fetched: the user brings it, and answers for its use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks._maths import MathsTask
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CollegeMath"]


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    question: str
    answer: str
    data_source: str | None = None


@tasks.register("college_math")
class CollegeMath(MathsTask):
    """Accuracy on exercises of college textbooks."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="college_math",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="exercises of college textbooks (bring the file: its licences differ by book)",
        data=("college_math/test.jsonl",),
        source=(
            "College Math comes from textbooks under different licences, some of them for "
            "non-commercial use only, so it is not fetched: check the licences, then take "
            "full_test.json of MathScale or test.jsonl of Qwen2.5-Math's evaluation/data"
        ),
    )

    def protocol(self) -> Protocol:
        """Return a plain protocol; ``qwen2.5-math-cot`` is the one of published chat figures."""
        return Protocol(
            template="Problem:\n{prompt}\n\nPut the final answer within \\boxed{}.\n\nSolution:",
            stop=("\nProblem:",),
            max_new_tokens=1024,
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems, numbered in the file's order: the books' numbers repeat."""
        items = []
        for number, row in enumerate(read_models(path, _Row)):
            if not row.answer.strip():
                raise InputError(f"{path}: row {number + 1}: answer: is empty")
            fields = {"answer": row.answer, "book": row.data_source}
            items.append(Item(f"college_math/{number}", row.question, fields))
        return items
