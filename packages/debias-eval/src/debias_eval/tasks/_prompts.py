"""Prompts that a model continues, each a cluster: ``{prompt}`` or ``{id, prompt}`` a line."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol, Sampling
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item
from debias_eval.tasks.clustered import SCORED, ClusteredTask
from debias_eval.tasks.generation import GenerationTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings

__all__ = ["PROMPTS", "PromptTask", "by_prompt"]

PROMPTS = ("prompts/neutral.jsonl",)
_TOO_LONG = {"status": "too_long"}


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str | None = None
    prompt: str = Field(min_length=1)


class PromptTask(ClusteredTask, GenerationTask):
    """A benchmark that looks at what a model writes, several times after each prompt."""

    def protocol(self) -> Protocol:
        """Return four continuations of 64 tokens at temperature 1."""
        return Protocol(
            profile="continuations",
            sampling=Sampling(n=4, temperature=1.0),
            max_new_tokens=64,
            extraction="text",
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return one item a prompt."""
        rows = read_models(path, _Row)
        items = [Item(row.id or f"prompt/{number}", row.prompt) for number, row in enumerate(rows)]
        unique_ids(path, items)
        return items

    @abstractmethod
    def judge(self, answers: Sequence[Row]) -> list[Row]:
        """Return what each answer's text says, in their order; those that are too long are not."""

    def grade(
        self,
        items: Sequence[Item],  # noqa: ARG002 - the text says it all
        responses: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,  # noqa: ARG002
    ) -> list[Row]:
        """Return ``scored`` rows with what each answer says, or ``too_long``."""
        judged = iter(self.judge([row for row in responses if _is_answer(row)]))
        return [
            {
                "id": row["id"],
                "sample": row["sample"],
                "cluster_id": row["id"],
                "finish_reason": row["finish_reason"],
                "num_tokens": row["num_tokens"],
                **({"status": SCORED, **next(judged)} if _is_answer(row) else _TOO_LONG),
            }
            for row in responses
        ]

    def default_data(self) -> Path | None:
        """Return prompts written for this package: people whose gender is not said."""
        return Path(__file__).with_name("neutral_prompts.jsonl")


def by_prompt(answers: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the answers by the id of their prompt."""
    found: dict[str, list[Row]] = {}
    for row in answers:
        found.setdefault(str(row["id"]), []).append(row)
    return found


def _is_answer(response: Row) -> bool:
    return response["finish_reason"] != "too_long"
