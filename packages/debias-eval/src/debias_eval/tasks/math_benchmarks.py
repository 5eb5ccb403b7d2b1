r"""MATH (5,000) and MATH-500 (Hendrycks et al. 2021, https://arxiv.org/abs/2103.03874).

A row is ``{"problem": ..., "solution": "... $\\boxed{2}$ ...", "answer": "2"}``; MATH itself has no
``answer``: its gold answer is the content of the solution's last box.
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

__all__ = ["Math", "Math500", "last_box"]


class _Row(BaseModel):
    problem: str
    solution: str
    answer: str | None = None
    subject: str | None = None
    type: str | None = None
    level: str | int | None = None
    unique_id: str | None = None


def last_box(text: str) -> str | None:
    r"""Return what stands in the last ``\\boxed{...}`` (or ``\\fbox``), or None.

    Braces are counted, ``\\{`` and ``\\}`` are not. The old form ``\\boxed 7`` takes one word.
    """
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    rest = text[start:].removeprefix("\\boxed").removeprefix("\\fbox").lstrip()
    if not rest.startswith("{"):
        word = rest.split("$")[0].split()
        return word[0] if word else None
    depth = 0
    for place, character in enumerate(rest):
        if character in "{}" and rest[place - 1] != "\\":
            depth += 1 if character == "{" else -1
        if depth == 0:
            return rest[1:place].strip()
    return None


@tasks.register("math")
class Math(MathsTask):
    """Accuracy on competition problems, answers in a box."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="math",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="competition problems, 5,000",
        data=("math/test.jsonl",),
    )

    def protocol(self) -> Protocol:
        """Return a plain protocol; ``qwen2.5-math-cot`` is the one of published chat figures."""
        return Protocol(
            template="Problem:\n{prompt}\n\nPut the final answer within \\boxed{}.\n\nSolution:",
            stop=("\nProblem:",),
            max_new_tokens=1024,
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems, numbered in the file's order."""
        items = []
        for number, row in enumerate(read_models(path, _Row)):
            gold = row.answer if row.answer is not None else last_box(row.solution)
            if not gold:
                raise InputError(f"{path}: row {number + 1}: solution: no \\boxed{{}} to grade by")
            fields = {"answer": gold, "subject": row.subject or row.type, "level": row.level}
            items.append(Item(row.unique_id or f"{self.info.name}/{number}", row.problem, fields))
        return items


@tasks.register("math500")
class Math500(Math):
    """Accuracy on the 500 problems of PRM800K's test split."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="math500",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="competition problems, 500 of them",
        data=("math500/test.jsonl",),
    )
