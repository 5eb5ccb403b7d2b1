r"""GSM8K: 1,319 grade-school word problems (Cobbe et al. 2021, https://arxiv.org/abs/2110.14168).

A row is ``{"question": "Janet's ducks lay ...", "answer": "... = <<9*2=18>>18 ...\n#### 18"}``; the
gold answer is what stands after the last ``####``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks._maths import MathsTask
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Gsm8k", "gold_of"]

_MARK = "####"


class _Row(BaseModel):
    question: str
    answer: str


def gold_of(answer: str) -> str | None:
    """Return what stands after the last ``####``, or None where there is no mark."""
    _, mark, gold = answer.rpartition(_MARK)
    return gold.strip() if mark else None


@tasks.register("gsm8k")
class Gsm8k(MathsTask):
    """Accuracy on the test split, answers in free text."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="gsm8k",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="grade-school word problems",
        data=("gsm8k/test.jsonl",),
        source="`debias-eval fetch gsm8k` gets it",
    )

    def protocol(self) -> Protocol:
        """Return a plain zero-shot protocol that base models can follow."""
        return Protocol(
            template="Question: {prompt}\nAnswer: Let's think step by step.",
            stop=("\nQuestion:",),
            max_new_tokens=512,
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems, numbered in the file's order."""
        items = []
        for number, row in enumerate(read_models(path, _Row)):
            gold = gold_of(row.answer)
            if not gold:
                raise InputError(f"{path}: row {number + 1}: answer: nothing after {_MARK}")
            items.append(Item(f"gsm8k/{number}", row.question, {"answer": gold}))
        return items
