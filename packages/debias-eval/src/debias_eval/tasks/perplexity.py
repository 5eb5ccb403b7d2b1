"""Perplexity of held-out text: how well a model still speaks.

The data is JSONL, ``{"text": ...}`` a line; a document is one item. The score is
``exp(-sum of log-probabilities / number of tokens)`` over all documents. It depends on the
tokenizer, so two models compare only where they share it; bits per byte stand beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, Field

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.results import Metrics
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.generation import finite_interval
from debias_eval.tasks.likelihood import LikelihoodTask, Query
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings

__all__ = ["Perplexity"]


class _Row(BaseModel):
    text: str = Field(min_length=1)


@tasks.register("perplexity")
class Perplexity(LikelihoodTask):
    """exp of the mean negative log-likelihood a token."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="perplexity",
        kind="quality",
        metric="perplexity",
        higher_is_better=False,
        summary="fluency on held-out text: {text} a line",
        data=("perplexity/test.jsonl",),
    )

    def protocol(self) -> Protocol:
        """Return the bare text; nothing is generated."""
        return Protocol(extraction="likelihood")

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return one item a document."""
        return [
            Item(f"text/{number}", row.text) for number, row in enumerate(read_models(path, _Row))
        ]

    def queries(self, item: Item) -> list[Query]:
        """Return the whole document, given nothing."""
        return [Query("document", "", item.prompt)]

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,  # noqa: ARG002
    ) -> list[Row]:
        """Return ``scored`` rows with the document's log-likelihood, or ``too_long``."""
        rows: list[Row] = []
        for item, response in zip(items, responses, strict=True):
            score = cast("dict[str, float] | None", response["document"])
            common: Row = {"id": item.id, "sample": 0}
            if score is None:
                rows.append({**common, "status": "too_long"})
            else:
                size = len(item.prompt.encode())
                rows.append({**common, "status": "scored", **score, "num_bytes": size})
        return rows

    def summarise(
        self,
        items: Sequence[Item],  # noqa: ARG002 - the verdicts say it all
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,
    ) -> Metrics:
        """Return perplexity with a bootstrap interval over documents."""
        scored = [row for row in verdicts if row["status"] == "scored"]
        counts = dict(Counter(str(row["status"]) for row in verdicts))
        if not scored:
            return Metrics(None, None, 0, None, counts)
        logprobs = [cast("float", row["logprob"]) for row in scored]
        tokens = [cast("int", row["num_tokens"]) for row in scored]
        size = sum(cast("int", row["num_bytes"]) for row in scored)

        def of(places: np.ndarray) -> float:
            chosen = [int(place) for place in places]
            total = sum(tokens[place] for place in chosen)
            return -sum(logprobs[place] for place in chosen) / total

        estimate = statistics.cluster_bootstrap(
            [float(place) for place in range(len(scored))],
            statistic=of,
            resamples=min(settings.resamples, 1000),
        )
        bounds = finite_interval(estimate.low, estimate.high)
        return Metrics(
            math.exp(estimate.value),
            None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1])),
            len(scored),
            None,
            counts,
            {
                "bits_per_byte": -sum(logprobs) / math.log(2) / size,
                "num_tokens": sum(tokens),
            },
        )
