"""Perplexity of held-out text: how well a model still speaks.

The data is JSONL, ``{"text": ...}`` a line; a document is one item and one cluster. The score is
``exp(-sum of log-probabilities / number of tokens)`` over all documents. It depends on the
tokenizer, so two models compare only where they share it; bits per byte stand beside it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from pydantic import BaseModel, Field

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.clustered import ClusteredLikelihood, ClusterScore, share_of
from debias_eval.tasks.generation import finite_interval
from debias_eval.tasks.likelihood import Query
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row
    from debias_eval.results import Metrics
    from debias_eval.statistics.clusters import Floats
    from debias_eval.tasks.base import GradeSettings
    from debias_eval.tasks.clustered import Graded
    from debias_eval.tasks.likelihood import TextScore

__all__ = ["Perplexity"]


class _Row(BaseModel):
    text: str = Field(min_length=1)


# Sums of a document: negative log-likelihood in nats, tokens, bytes.
_NATS, _TOKENS, _BYTES = range(3)
_mean_nats = share_of(_NATS, _TOKENS)


def _perplexity(sums: Floats) -> Floats:
    found: Floats = np.exp(_mean_nats(sums))
    return found


@tasks.register("perplexity")
class Perplexity(ClusteredLikelihood):
    """exp of the mean negative log-likelihood a token."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="perplexity",
        kind="quality",
        metric="perplexity",
        higher_is_better=False,
        summary="fluency on held-out text: {text} a line",
        data=("perplexity/test.jsonl",),
    )
    cluster_scores: ClassVar[tuple[ClusterScore, ...]] = (
        ClusterScore("perplexity", None, _perplexity, best=1.0),
        ClusterScore(
            "bits_per_byte", None, share_of(_NATS, _BYTES, scale=1 / math.log(2)), best=0.0
        ),
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

    def about(self, item: Item) -> Row:
        """Return the document, which is its own cluster."""
        return {"cluster_id": item.id}

    def judge(self, item: Item, scores: Mapping[str, TextScore]) -> Row:
        """Return the document's log-likelihood and its size."""
        document = scores["document"]
        return {
            "logprob": document.logprob,
            "num_tokens": document.num_tokens,
            "num_bytes": len(item.prompt.encode()),
        }

    def cluster_moments(self, rows: Sequence[Row]) -> Sequence[float]:
        """Return negative log-likelihood, tokens and bytes."""
        columns = ("logprob", "num_tokens", "num_bytes")
        logprob, tokens, size = (sum(cast("float", row[name]) for row in rows) for name in columns)
        return (-logprob, tokens, size)

    def details_of(self, graded: Graded) -> Mapping[str, object]:
        """Return how many tokens were scored."""
        return {"num_tokens": sum(cast("int", row["num_tokens"]) for row in graded.scored)}

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return perplexity with an interval over documents, made where errors add: in nats."""
        metrics = super().summarise(items, verdicts, protocol, settings)
        if metrics.score is None:
            return metrics
        nats = statistics.moment_bootstrap(
            list(self.moments(verdicts).values()),
            _mean_nats,
            plan=statistics.Bootstrap(settings.resamples),
        )
        found = finite_interval(nats.low, nats.high)
        interval = None if found is None else (math.exp(found[0]), math.exp(found[1]))
        shown = {"value": metrics.score, "interval": interval}
        details = {**metrics.details, "perplexity": shown}
        return replace(metrics, interval=interval, details=details)
