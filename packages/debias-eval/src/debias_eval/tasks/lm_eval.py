"""Any task of lm-evaluation-harness, asked and counted by this package.

``lm_eval_NAME`` is the harness's own task NAME (``lm_eval_arithmetic_1dc``); ``lm_eval`` with
``--data TASK.yaml`` is a definition of one's own. The harness writes the prompts and scores each
document; the model is asked through any back end of this package, the answers are kept under a key
made of the weights, and every metric has its interval. Needs ``debias-eval[lm-eval]``.

Differences from the harness's own runs: whether a continuation is what greedy decoding would write
is found by decoding it and comparing the texts; a document longer than the model's context is
counted as ``too_long``, where the harness cuts its beginning off.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.adapters.lm_calls import as_said, document_of, fits, replies_of
from debias_eval.adapters.lm_harness import (
    HarnessTask,
    builtin_definition,
    harness_version,
    open_task,
)
from debias_eval.errors import InputError
from debias_eval.protocol import Protocol
from debias_eval.results import Metrics
from debias_eval.tasks.base import Batch, Item, Task, TaskInfo
from debias_eval.tasks.generation import finite_interval, status_counts
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings, Session

__all__ = ["LmEval"]

_ITEMS_AT_A_TIME = 32
_MAX_RESAMPLES = 1_000  # of scores that are no means: the harness's function is called for each
_MEANT = "default"


@tasks.register("lm_eval")
@dataclass
class LmEval(Task):
    """A benchmark of lm-evaluation-harness.

    Attributes:
        task: Its name there; empty for the one that a definition file holds.
    """

    task: str = ""
    _opened: dict[str, HarnessTask] = field(default_factory=dict)

    info: ClassVar[TaskInfo] = TaskInfo(
        name="lm_eval",
        kind="quality",
        metric="the first metric of the task",
        higher_is_better=True,
        summary="any task of lm-evaluation-harness, as lm_eval_NAME or --data TASK.yaml",
        data=("lm_eval/task.yaml",),
        source="a task definition; lm_eval_NAME takes one of the harness's own",
    )
    responses_file: ClassVar[str] = "responses.jsonl"

    def __post_init__(self) -> None:
        if self.task:
            # an instance's own: what it is called and scored by is only known by its name
            self.info = replace(type(self).info, name=f"lm_eval_{self.task}")  # type: ignore[misc]

    @classmethod
    def variant(cls, suffix: str) -> LmEval | None:
        """Return the harness's own task of that name; whether there is one is seen on loading."""
        return cls(suffix)

    def protocol(self) -> Protocol:
        """Return the harness's prompts as they are; ``extraction`` may name another metric."""
        return Protocol(max_new_tokens=256)

    def default_data(self) -> Path | None:
        """Return the definition that the harness carries."""
        return builtin_definition(self.task) if self.task else None

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return the documents with their calls, in the data's order."""
        harness = self._harness(str(path.resolve()))
        self._metric(harness, protocol)
        return [
            Item(
                f"{harness.name}/{document.number}",
                str(document.calls[0].arguments[0]),
                {
                    "document": document.content,
                    "calls": [[call.kind, *call.arguments] for call in document.calls],
                    "repeats": harness.repeats,
                    "needs_greedy": harness.needs_greedy,
                    "definition": str(path.resolve()),
                },
            )
            for document in harness.documents()
        ]

    def _harness(self, definition: str) -> HarnessTask:
        from pathlib import Path  # noqa: PLC0415 - a type elsewhere

        if definition not in self._opened:
            self._opened[definition] = open_task(Path(definition), self.task)
        return self._opened[definition]

    def _metric(self, harness: HarnessTask, protocol: Protocol) -> str:
        """Return the headline metric: the first, or the one that ``extraction`` names."""
        asked = protocol.extraction
        name = harness.metrics[0] if asked == _MEANT else asked
        if name.partition(",")[0] not in harness.metrics:
            raise InputError(
                f"lm-eval task {harness.name}: no metric {name!r}, only {harness.metrics}"
            )
        better = harness.higher_is_better(name)
        self.info = replace(self.info, metric=name, higher_is_better=better)  # type: ignore[misc]
        return name

    def ask(self, items: Sequence[Item], session: Session) -> list[Row]:
        """Return one row an item: ``replies`` [calls][repeats], null where a text is too long."""
        keys = [session.key(item, "calls") for item in items]
        batches = []
        for start in range(0, len(items), _ITEMS_AT_A_TIME):
            chunk = slice(start, start + _ITEMS_AT_A_TIME)
            batches.append(Batch(tuple(keys[chunk]), partial(replies_of, items[chunk], session)))
        rows = session.collect(batches)
        return [rows[key] for key in keys]

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the harness's metrics of every document."""
        by_id = {item.id: item for item in items}
        fitting = [row for row in responses if fits(row)]
        verdicts: dict[str, Row] = {}
        if fitting:
            harness = self._harness(items[0].text("definition"))
            headline = self._metric(harness, protocol)
            asked = [document_of(by_id[str(row["id"])]) for row in fitting]
            scores = harness.score(asked, [as_said(row) for row in fitting])
            for number, (row, found) in enumerate(zip(fitting, scores, strict=True), start=1):
                status = _status(_of(found, headline))
                verdicts[str(row["id"])] = {"status": status, "metrics": found}
                if settings.on_graded is not None:
                    settings.on_graded(number)
        too_long: Row = {"status": "too_long", "metrics": None}
        return [
            {"id": row["id"], "sample": 0, **verdicts.get(str(row["id"]), too_long)}
            for row in responses
        ]

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return the headline metric; every metric with its interval stands in the details."""
        counts = status_counts(verdicts)
        scored = [row for row in verdicts if row["metrics"] is not None]
        if not scored:
            return Metrics(score=None, interval=None, n=0, k=0, counts=counts, details={})
        harness = self._harness(items[0].text("definition"))
        headline = self._metric(harness, protocol)
        found = [cast("dict[str, object]", row["metrics"]) for row in scored]
        metrics = {
            name: _estimate(harness, name, [row[name] for row in found], settings)
            for name in found[0]
        }
        first = metrics[_name_of(found[0], headline)]
        values = [_of(row, headline) for row in found]
        return Metrics(
            score=first.score,
            interval=first.interval,
            n=len(scored),
            k=sum(value == 1.0 for value in values) if _are_shares(values) else 0,
            counts=counts,
            details={
                "lm_eval_task": harness.name,
                "lm_eval_task_version": harness.version,
                "lm_eval_version": harness_version(),
                "metrics": {
                    name: {
                        "value": estimate.score,
                        "interval": estimate.interval,
                        "higher_is_better": harness.higher_is_better(name),
                    }
                    for name, estimate in metrics.items()
                },
            },
        )


@dataclass(frozen=True, slots=True)
class _Estimate:
    score: float
    interval: tuple[float, float] | None


def _estimate(
    harness: HarnessTask, name: str, values: Sequence[object], settings: GradeSettings
) -> _Estimate:
    """Return a metric's score and interval over documents."""
    if harness.is_mean(name) and _are_shares(values):
        k = sum(value == 1.0 for value in values)
        bounds = statistics.wilson_interval(k, len(values))
        return _Estimate(k / len(values), (float(bounds.low), float(bounds.high)))
    if harness.is_mean(name) and all(isinstance(value, float) for value in values):
        found = statistics.cluster_bootstrap(
            cast("list[float]", values), None, resamples=settings.resamples
        )
    else:
        # rows are drawn by number, since one document's value may be several numbers
        found = statistics.cluster_bootstrap(
            [float(number) for number in range(len(values))],
            statistic=lambda drawn: harness.aggregate(name, [values[int(i)] for i in drawn]),
            resamples=min(settings.resamples, _MAX_RESAMPLES),
        )
    return _Estimate(float(found.value), finite_interval(found.low, found.high))


def _are_shares(values: Sequence[object]) -> bool:
    return all(value in (0.0, 1.0) for value in values)


def _status(value: object) -> str:
    if value not in (0.0, 1.0):
        return "scored"
    return "correct" if value == 1.0 else "incorrect"


def _name_of(found: Mapping[str, object], headline: str) -> str:
    """Return the metric's name with its filter, where the harness gave it one."""
    if headline in found:
        return headline
    return next(name for name in found if name.partition(",")[0] == headline)


def _of(found: Mapping[str, object], headline: str) -> object:
    return found[_name_of(found, headline)]
