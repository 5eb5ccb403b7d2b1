r"""AIME 2024 and 2025: 30 problems each, answers are integers from 0 to 999.

A row is ``{"problem": ..., "answer": "025"}``; an ``id`` and other fields may be there. With
30 problems one greedy answer each says little, so the score is avg@n: n answers are sampled, each
problem's share of right ones is taken, and the interval resamples problems, because answers to one
problem are not independent. Copies of one answer at temperature 0 are one sample, and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from debias_eval.code.pass_at_k import pass_at_k
from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol, Sampling
from debias_eval.tasks._maths import MathsTask
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.generation import item_shares
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row

__all__ = ["Aime24", "Aime25"]


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    problem: str
    answer: str
    id: str | None = None


class _Aime(MathsTask):
    """Mean share of right answers over n samples a problem."""

    def protocol(self) -> Protocol:
        """Return avg@8 without a chat template; ``deepseek-r1-avg64`` is the published one."""
        return Protocol(
            template="Problem:\n{prompt}\n\nPut the final answer within \\boxed{}.\n\nSolution:",
            stop=("\nProblem:",),
            max_new_tokens=4096,
            sampling=Sampling(n=8, temperature=0.6, top_p=0.95),
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems in the file's order; one without an id is known by its place."""
        items = []
        for number, row in enumerate(read_models(path, _Row)):
            if not row.answer.strip():
                raise InputError(f"{path}: row {number + 1}: answer: is empty")
            name = f"{self.info.name}/{number if row.id is None else row.id}"
            items.append(Item(name, row.problem, {"answer": row.answer}))
        unique_ids(path, items)
        return items

    def more_details(self, verdicts: Sequence[Row]) -> Mapping[str, object]:
        """Return n, and how many problems at least one of k answers solves."""
        shares = list(item_shares(verdicts, "correct").values())
        n = min(map(len, shares), default=0)
        solved = {
            str(k): sum(pass_at_k(len(share), sum(share), k) for share in shares) / len(shares)
            for k in (1, 8, 64)
            if k <= n
        }
        return {"samples_per_problem": n, "pass_at_k": solved}


@tasks.register("aime24")
class Aime24(_Aime):
    """AIME I and II of 2024."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="aime24",
        kind="maths",
        metric="avg@n accuracy",
        higher_is_better=True,
        summary="AIME 2024, 30 problems, several answers each",
        data=("aime24/test.jsonl",),
    )


@tasks.register("aime25")
class Aime25(_Aime):
    """AIME I and II of 2025."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="aime25",
        kind="maths",
        metric="avg@n accuracy",
        higher_is_better=True,
        summary="AIME 2025, 30 problems, several answers each",
        data=("aime25/test.jsonl",),
    )
