"""What this machine can score: every benchmark's own answers, put through its own grader.

A benchmark whose reference answers fail here would score a model by the machine's faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from debias_eval.errors import DebiasEvalError, MissingError
from debias_eval.preparing import TaskSpec, prepare
from debias_eval.tasks._two_sides import PairedSides
from debias_eval.tasks.base import GradeSettings
from debias_eval.tasks.generation import GenerationTask
from debias_eval.tasks.likelihood import LikelihoodTask
from debias_eval.tasks.registry import get_task, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import Item, Task

__all__ = ["Check", "check_tasks", "reference_answers"]

State: TypeAlias = Literal["ok", "failed", "missing"]
_SHOWN = 5
# References that fail under any limits: MBPP's own code for these ids does not pass its own tests.
_RATE = {"mbpp": 0.99, "mbpp_sanitized": 0.99}
# BigCodeBench's need the network, among others: 5 of its 300 standard-library tasks.
_RATE |= dict.fromkeys(("bigcodebench", "bigcodebench_instruct"), 0.97)
_RATE |= dict.fromkeys(("bigcodebench_hard", "bigcodebench_hard_instruct"), 0.9)


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one benchmark.

    Attributes:
        task: Its name.
        state: ``ok``: it can be scored here; ``failed``: its references fail; ``missing``: its
            data (or something that it needs) is not there.
        passed: References that passed, out of ``total``.
        total: References that were tried.
        detail: What failed or is missing.
    """

    task: str
    state: State
    passed: int
    total: int
    detail: str


def reference_answers(task: Task, items: Sequence[Item]) -> list[Row] | None:
    """Return the reference answers as responses, or None where a benchmark has none."""
    if task.info.kind == "code":
        texts = [item.fields.get("canonical_solution") for item in items]
    elif task.info.kind == "maths":
        texts = [f"The answer is \\boxed{{{item.text('answer')}}}." for item in items]
    else:
        return None
    return [
        {"id": item.id, "sample": 0, "text": text, "finish_reason": "stop", "num_tokens": 0}
        for item, text in zip(items, texts, strict=True)
        if isinstance(text, str)
    ]


def check_tasks(
    data_dir: Path | None,
    *,
    limit: int | None = None,
    settings: GradeSettings | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Check]:
    """Yield one check a benchmark, as each is done.

    Args:
        data_dir: Where the data is.
        limit: At most so many references a benchmark; None is all of them.
        settings: Isolation and workers.
        names: Which benchmarks; None is every one that has references.
    """
    for name in names or tasks.names():
        try:
            yield _check(name, data_dir, limit, settings or GradeSettings())
        except MissingError as error:
            yield Check(name, "missing", 0, 0, str(error))
        except DebiasEvalError as error:
            yield Check(name, "failed", 0, 0, str(error))


def _scored_by(task: Task) -> str:
    """How a benchmark without reference answers is scored, for people."""
    if isinstance(task, LikelihoodTask):
        return "scored by likelihood"
    if isinstance(task, PairedSides):
        return "answers to both sides graded and compared"
    if isinstance(task, GenerationTask):
        return "what is written is measured; no answer is right or wrong"
    return f"scored as {task.info.metric}"


def _check(name: str, data_dir: Path | None, limit: int | None, settings: GradeSettings) -> Check:
    task = get_task(name)
    changes = {"extraction": "completion"} if task.info.kind == "code" else None
    spec = TaskSpec(name, limit=limit, protocol=changes)
    benchmark, items = prepare(spec, Path(), data_dir, None)
    responses = reference_answers(task, items)
    if responses is None:
        return Check(name, "ok", 0, 0, f"{len(items)} items, {_scored_by(task)}")
    if not responses:
        return Check(name, "ok", 0, 0, f"{len(items)} items, without reference answers")
    everything = task.grade(items, responses, benchmark.protocol, settings)
    # What this machine cannot run is left out of a score as well.
    verdicts = [row for row in everything if row["status"] != "infra_error"]
    bad = [row for row in verdicts if row["status"] not in ("passed", "correct")]
    passed = len(verdicts) - len(bad)
    detail = ", ".join(f"{row['id']}: {row['status']}" for row in bad[:_SHOWN])
    if len(verdicts) < len(everything):
        detail = f"{len(everything) - len(verdicts)} cannot be run here. {detail}".strip()
    enough = bool(verdicts) and passed / len(verdicts) >= _RATE.get(name, 1.0)
    return Check(name, "ok" if enough else "failed", passed, len(verdicts), detail)
