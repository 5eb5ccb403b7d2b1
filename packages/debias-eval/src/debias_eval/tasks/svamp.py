"""SVAMP (Patel et al. 2021, https://arxiv.org/abs/2103.07191): 1,000 varied elementary problems.

The published ``SVAMP.json`` is one list of rows ``{"ID": "chal-1", "Body": ..., "Question": ...,
"Equation": ..., "Answer": 145.0, "Type": "Subtraction"}``; copies with one row a line are read too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks._maths import MathsTask
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Svamp"]

_MAX_BYTES = 64 * 1024 * 1024  # the published file has 0.4 MB


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, allow_inf_nan=False)
    id: str = Field(alias="ID")
    body: str = Field(alias="Body")
    question: str = Field(alias="Question")
    answer: float = Field(alias="Answer")
    type: str | None = Field(alias="Type", default=None)


_LIST = TypeAdapter(list[_Row])


def _read(path: Path) -> list[_Row]:
    """Return the rows of a JSON list or of JSON lines, told apart by the first character."""
    if path.suffix == ".gz":
        return read_models(path, _Row)
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if not raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return read_models(path, _Row)
    if len(raw) > _MAX_BYTES:
        raise InputError(f"{path}: more than {_MAX_BYTES >> 20} MiB; this is not SVAMP")
    try:
        rows = _LIST.validate_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}:{where}: {first['msg']}") from error
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return rows


def _number(value: float) -> str:
    """Return 145.0 as ``145``, and what is no integer as the fraction or decimal that it is."""
    return str(int(value)) if value == int(value) else str(Fraction(repr(value)))


@tasks.register("svamp")
class Svamp(MathsTask):
    """Accuracy on one-step problems whose wording was varied."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="svamp",
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        summary="elementary word problems with varied wording, 1,000",
        data=("svamp/SVAMP.json", "svamp/test.jsonl"),
        source="`debias-eval fetch svamp` gets it from https://github.com/arkilpatel/SVAMP",
    )

    def protocol(self) -> Protocol:
        """Return the plain zero-shot protocol of GSM8K."""
        return Protocol(
            template="Question: {prompt}\nAnswer: Let's think step by step.",
            stop=("\nQuestion:",),
            max_new_tokens=256,
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems in the file's order, body and question in one text."""
        items = []
        for row in _read(path):
            body = row.body.strip()
            text = (
                f"{body if body.endswith(('.', '?', '!')) else body + '.'} {row.question.strip()}"
            )
            fields = {"answer": _number(row.answer), "type": row.type}
            items.append(Item(row.id, text, fields))
        unique_ids(path, items)
        return items
