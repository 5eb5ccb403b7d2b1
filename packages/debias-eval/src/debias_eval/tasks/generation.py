"""What every benchmark with free answers shares: asking, and shares with intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, cast

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.backends.base import GenerationRequest
from debias_eval.results import Metrics
from debias_eval.tasks.base import Batch, Item, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from debias_eval.backends.base import Generation
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.tasks.base import GradeSettings, Session

__all__ = [
    "GenerationTask",
    "answer_rates",
    "finite_interval",
    "item_shares",
    "response_row",
    "run_requests",
    "share_metrics",
    "status_counts",
]

EXCLUDED = frozenset({"gold_error", "infra_error"})
"""Verdicts about the data or the machine: listed, never counted against a model."""

_MAX_LISTED = 50


def response_row(item_id: str, sample: int, answer: Generation) -> Row:
    """Return the row of ``generations.jsonl`` for one answer."""
    return {
        "id": item_id,
        "sample": sample,
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "num_tokens": answer.num_tokens,
    }


def run_requests(
    session: Session,
    keys: Sequence[str],
    build: Callable[[], list[GenerationRequest]],
    row_of: Callable[[int, Generation], Row],
) -> list[Row]:
    """Return one row a key, in order; only what the log lacks is generated.

    Args:
        session: The model and its log.
        keys: Cache keys, one a request.
        build: Makes the requests; not called where the log holds everything.
        row_of: Makes the row of an answer, given its index.
    """
    known = session.known(keys)
    if known is not None:
        return known
    requests = build()

    def batch(indices: tuple[int, ...]) -> Batch:
        def compute() -> list[Row]:
            answers = session.backend.generate([requests[index] for index in indices])
            return [row_of(index, answer) for index, answer in zip(indices, answers, strict=True)]

        return Batch(tuple(keys[index] for index in indices), compute)

    rows = session.collect([batch(indices) for indices in session.backend.batches(requests)])
    return [rows[key] for key in keys]


class GenerationTask(Task):
    """A benchmark whose items are answered in free text, once or several times."""

    def ask(self, items: Sequence[Item], session: Session) -> list[Row]:
        """Return ``sampling.n`` answers an item."""
        protocol, sampling = session.protocol, session.protocol.sampling
        asked = [(item, sample) for item in items for sample in range(sampling.n)]

        def build() -> list[GenerationRequest]:
            prompts = {
                item.id: session.backend.render(protocol, self.prompt_text(item, protocol))
                for item in items
            }
            return [
                GenerationRequest(
                    key=f"{item.id}#{sample}",
                    prompt=prompts[item.id],
                    max_new_tokens=protocol.max_new_tokens,
                    stop=protocol.stop,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    seed=sampling.seed,
                )
                for item, sample in asked
            ]

        return run_requests(
            session,
            [session.key(item, str(sample)) for item, sample in asked],
            build,
            lambda index, answer: response_row(asked[index][0].id, asked[index][1], answer),
        )

    def prompt_text(self, item: Item, protocol: Protocol) -> str:  # noqa: ARG002
        """Return what goes into the protocol's template."""
        return item.prompt


def item_shares(verdicts: Sequence[Row], passed: str) -> dict[str, list[bool]]:
    """Return, by item, whether each decided sample passed; excluded verdicts are left out."""
    shares: dict[str, list[bool]] = defaultdict(list)
    for row in verdicts:
        if row["status"] not in EXCLUDED:
            shares[str(row["id"])].append(row["status"] == passed)
    return dict(shares)


def share_metrics(
    verdicts: Sequence[Row],
    *,
    passed: str,
    settings: GradeSettings,
    details: Mapping[str, object] | None = None,
) -> Metrics:
    """Return the share of answers that passed.

    One answer an item: k/n with Wilson's interval. Several: the mean over items of each item's
    share, with a bootstrap over items, because answers to one item are not independent. Where all
    are solved, or none, resampling shows no spread: the interval is Wilson's, over items.
    """
    shares = item_shares(verdicts, passed)
    n = sum(map(len, shares.values()))
    k = sum(map(sum, shares.values()))
    score: float | None = None
    interval: tuple[float, float] | None = None
    num_items = len(shares)
    if n and (n == num_items or k in (0, n)):
        bounds = statistics.wilson_interval(k * num_items // n, num_items)
        score, interval = k / n, (float(bounds.low), float(bounds.high))
    elif n:
        means = [sum(values) / len(values) for values in shares.values()]
        estimate = statistics.cluster_bootstrap(means, list(shares), resamples=settings.resamples)
        score, interval = float(estimate.value), finite_interval(estimate.low, estimate.high)
    return Metrics(
        score=score,
        interval=interval,
        n=n,
        k=k,
        counts=status_counts(verdicts),
        details={"num_items": num_items, **answer_rates(verdicts), **(details or {})},
    )


def finite_interval(low: float, high: float) -> tuple[float, float] | None:
    """Return the interval, or None where there is none (a single cluster has none)."""
    low, high = float(low), float(high)
    return (low, high) if abs(low) < float("inf") and abs(high) < float("inf") else None


def status_counts(verdicts: Sequence[Row]) -> dict[str, int]:
    """Return how many verdicts have which status, in the order of the names."""
    return dict(sorted(Counter(str(row["status"]) for row in verdicts).items()))


def answer_rates(verdicts: Sequence[Row]) -> dict[str, object]:
    """Return what a reader needs beside a score: how answers ended, and which were left out."""
    reasons = Counter(str(row.get("finish_reason", "stop")) for row in verdicts)
    total = max(len(verdicts), 1)
    lengths = [cast("int", row["num_tokens"]) for row in verdicts if row.get("num_tokens")]
    left_out = [str(row["id"]) for row in verdicts if row["status"] in EXCLUDED]
    return {
        "truncated_rate": reasons["length"] / total,
        "too_long_rate": reasons["too_long"] / total,
        **({"filtered_rate": reasons["filtered"] / total} if reasons["filtered"] else {}),
        "mean_answer_tokens": sum(lengths) / len(lengths) if lengths else None,
        "excluded": left_out[:_MAX_LISTED],
        "num_excluded": len(left_out),
    }
