r"""HumanEval+ v0.1.10: HumanEval with some 80 times its inputs (Liu et al. 2023, arXiv 2305.01210).

A row is ``{"task_id": "HumanEval/0", "prompt": "def f(...):\n    ...", "entry_point": "f",
"canonical_solution": "    return ...", "base_input": [[args], ...], "plus_input": [[args], ...],
"atol": 0}``. What is expected is what the reference returns; HumanEval/32 (`find_zero`) has any
root for an answer and is judged by the polynomial's value instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from debias_eval.tasks._evalplus import EvalPlusTask
from debias_eval.tasks.base import TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debias_eval.execution.program import Compare

__all__ = ["HumanEvalPlus"]


@tasks.register("humaneval_plus")
class HumanEvalPlus(EvalPlusTask):
    """pass@1 on base and further inputs."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="humaneval_plus",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="HumanEval's functions under many more inputs (v0.1.10)",
        data=("humaneval_plus/HumanEvalPlus.jsonl.gz", "humaneval_plus/HumanEvalPlus.jsonl"),
    )
    oracles: ClassVar[Mapping[str, Compare]] = {"find_zero": "root"}

    def arguments(self, task_id: str, inputs: list[list[object]]) -> list[list[object]]:  # noqa: ARG002
        """Return the inputs as they are."""
        return inputs
