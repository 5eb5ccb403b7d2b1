"""With the chat template or without? The same items both ways, before a score is believed.

The same weights give 33.0 or 61.8 on MATH-500 by the template alone, so it is never guessed, and
this shows what hangs on it for one model and one benchmark, on a few items.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.errors import InputError
from debias_eval.evaluation import EvalSettings, evaluate
from debias_eval.jsonl import read_rows
from debias_eval.preparing import TaskSpec
from debias_eval.stages import VERDICTS
from debias_eval.tasks.generation import GenerationTask, finite_interval, item_shares
from debias_eval.tasks.registry import get_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debias_eval.backends.base import Backend
    from debias_eval.results import BenchmarkResult

__all__ = ["TemplateAudit", "audit_template"]

Better: TypeAlias = Literal["chat", "bare", "undecided"]
_PASSED = {"maths": "correct", "code": "passed"}
_ITEMS = 50


@dataclass(frozen=True, slots=True)
class TemplateAudit:
    """One benchmark both ways.

    Attributes:
        task: Which.
        bare: Without the chat template.
        chat: With it.
        difference: Mean over common items of chat − bare; None where nothing was decided.
        interval: Its 95% interval over items.
        better: What the interval says; ``undecided`` where 0 lies in it.
    """

    task: str
    bare: BenchmarkResult
    chat: BenchmarkResult
    difference: float | None
    interval: tuple[float, float] | None
    better: Better


def audit_template(  # noqa: PLR0913 - the arguments of `evaluate`, for one task
    model: str | Path,
    task: str,
    *,
    out: str | Path,
    limit: int = _ITEMS,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    protocol: str | Mapping[str, object] | None = None,
    backend: str | Backend = "transformers",
    settings: EvalSettings | None = None,
) -> TemplateAudit:
    """Return the scores of ``task`` with and without the chat template, on the first items.

    All else of the protocol is the same in both. The runs are in ``out`` under ``TASK+chat`` and
    ``TASK+bare``, as any others.

    Raises:
        InputError: The task has no right and wrong answers in free text.
        ModelError: The tokenizer has no chat template: there is nothing to compare.
    """
    info = get_task(task).info
    if not isinstance(get_task(task), GenerationTask) or info.kind not in _PASSED:
        raise InputError(f"{task}: give a maths or code benchmark; this one has no right answers")
    ways = {name: f"{task}+{name}" for name in ("chat", "bare")}
    specs = [
        TaskSpec(task, label, limit, data, {"chat_template": name == "chat"})
        for name, label in ways.items()
    ]
    results = evaluate(
        model,
        specs,
        out=out,
        backend=backend,
        protocol=protocol,
        data_dir=data_dir,
        settings=settings,
    )
    shares = {name: _shares(Path(out) / label, info.kind) for name, label in ways.items()}
    common = [item for item in shares["chat"] if item in shares["bare"]]
    pairs = [(shares["chat"][item], shares["bare"][item]) for item in common]
    difference, interval = _difference(pairs, (settings or EvalSettings()).grade.resamples)
    return TemplateAudit(
        task,
        results.benchmarks[ways["bare"]],
        results.benchmarks[ways["chat"]],
        difference,
        interval,
        _better(interval),
    )


def _shares(folder: Path, kind: str) -> dict[str, list[bool]]:
    verdicts = [row for _, row in read_rows(folder / VERDICTS)]
    return item_shares(verdicts, _PASSED[kind])


def _difference(
    pairs: list[tuple[list[bool], list[bool]]], resamples: int
) -> tuple[float | None, tuple[float, float] | None]:
    if not pairs:
        return None, None
    values = [sum(chat) / len(chat) - sum(bare) / len(bare) for chat, bare in pairs]
    if all(len(chat) == len(bare) == 1 for chat, bare in pairs):
        found = statistics.paired_score_interval(values.count(1.0), values.count(-1.0), len(values))
    else:
        found = statistics.cluster_bootstrap(values, resamples=resamples)
    return float(found.value), finite_interval(found.low, found.high)


def _better(interval: tuple[float, float] | None) -> Better:
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "undecided"
    return "chat" if interval[0] > 0 else "bare"
