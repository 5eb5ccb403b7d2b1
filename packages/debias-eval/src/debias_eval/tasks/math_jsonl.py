"""Any maths problems in a file: ``{id, question, answer}`` a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks._maths import MathsTask
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MathJsonl"]


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    id: str
    question: str
    answer: str

    @field_validator("answer")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty")
        return value


@tasks.register("math_jsonl")
class MathJsonl(MathsTask):
    """Accuracy on a file of the user's own; the question is put as it is."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="math_jsonl",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="maths problems of your own: {id, question, answer}",
        data=("math_jsonl/test.jsonl",),
    )

    def protocol(self) -> Protocol:
        """Return the bare question: a file of one's own carries its own wording."""
        return Protocol(max_new_tokens=256)

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems in the file's order; ids are unique."""
        items = [
            Item(row.id, row.question, {"answer": row.answer}) for row in read_models(path, _Row)
        ]
        unique_ids(path, items)
        return items
