"""Prompts that a model continues: ``{prompt}`` or ``{id, prompt}`` a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol, Sampling
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item
from debias_eval.tasks.generation import GenerationTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.jsonl import Row

__all__ = ["PROMPTS", "PromptTask", "by_prompt"]

PROMPTS = ("prompts/neutral.jsonl",)


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str | None = None
    prompt: str = Field(min_length=1)


class PromptTask(GenerationTask):
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

    def default_data(self) -> Path | None:
        """Return prompts written for this package: people whose gender is not said."""
        return Path(__file__).with_name("neutral_prompts.jsonl")


def by_prompt(responses: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the responses that hold an answer, by the id of their prompt."""
    found: dict[str, list[Row]] = {}
    for row in responses:
        if row["finish_reason"] != "too_long":
            found.setdefault(str(row["id"]), []).append(row)
    return found
