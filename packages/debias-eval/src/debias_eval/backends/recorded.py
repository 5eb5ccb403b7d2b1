"""The ``recorded`` back end: answers that somebody else generated, read from a file.

The file holds ``{task_id | id, completion}`` a line, several lines an id for several samples.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, model_validator

from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    BackendSettings,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.backends.options import no_options
from debias_eval.backends.registry import backends
from debias_eval.errors import BackendError, InputError
from debias_eval.files import sha256_file
from debias_eval.jsonl import read_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.protocol import Protocol

__all__ = ["CompletionRow", "RecordedBackend", "read_completions"]


class CompletionRow(BaseModel):
    """One recorded completion; other fields are ignored."""

    id: str
    completion: str

    @model_validator(mode="before")
    @classmethod
    def _either_name(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        row = dict(values)
        if "id" not in row and "task_id" in row:
            row["id"] = row["task_id"]
        if isinstance(row.get("id"), int) and not isinstance(row["id"], bool):
            row["id"] = str(row["id"])  # MBPP numbers its tasks
        return row


def read_completions(path: Path) -> dict[str, list[str]]:
    """Return the completions of ``path`` by id, in the order of the file.

    Raises:
        InputError: ``file:line:field: what``.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for row in read_models(path, CompletionRow):
        found[row.id].append(row.completion)
    return dict(found)


class RecordedBackend:
    """Completions from a file; a key is ``ITEM#SAMPLE``."""

    name = "recorded"
    variant = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.completions = read_completions(path)

    def identity(self) -> ModelIdentity:
        """Return the file and its hash in place of weights."""
        return ModelIdentity(str(self._path), sha256_file(self._path), "")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the text itself: it is not shown to any model."""
        return Prompt(protocol.fill(text))

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return one batch: nothing has to be computed."""
        return [tuple(range(len(requests)))] if requests else []

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return the recorded answers.

        Raises:
            InputError: An item has no answer in the file: it would silently leave the denominator.
        """
        answers = []
        for request in requests:
            item, _, sample = request.key.rpartition("#")
            texts = self.completions.get(item, [])
            if int(sample) >= len(texts):
                raise InputError(f"{self._path}: no completion {int(sample) + 1} for id {item!r}")
            answers.append(Generation(texts[int(sample)], "stop", ()))
        return answers

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:  # noqa: ARG002
        """Refuse: a file of texts holds no likelihoods."""
        raise BackendError("the recorded back end has no likelihoods; use transformers")

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:  # noqa: ARG002
        """Refuse: a file of texts holds no entropies."""
        raise BackendError("the recorded back end has no entropies; use transformers")


@backends.register("recorded")
def open_recorded(model: str, settings: BackendSettings) -> RecordedBackend:
    """Open a completion file: ``settings.completions``, else the model argument itself."""
    no_options(settings, backend="recorded")
    return RecordedBackend(Path(settings.completions or model))
