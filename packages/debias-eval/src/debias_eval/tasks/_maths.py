"""What the maths benchmarks share: grading by the bounded grader, share of correct answers.

Beside the score, the details say how the answers got there (`grading.steps`): the share of steps
whose arithmetic holds, how many steps there were, and how much was repeated.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, cast

from debias_eval import (
    grading,  # lazy: its parts load on first use
    statistics,  # lazy too
)
from debias_eval.tasks.generation import GenerationTask, finite_interval, share_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from debias_eval.grading import Verdict
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings, Item

__all__ = ["MathsTask", "reasoning"]


def _counting(report: Callable[[int], None] | None) -> Callable[[int, Verdict], None] | None:
    """Return a callback that reports how many verdicts there are so far."""
    if report is None:
        return None
    numbers = count(1)
    return lambda _index, _verdict: report(next(numbers))


class MathsTask(GenerationTask):
    """A benchmark whose items carry their reference in ``answer``, a text that the grader reads."""

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the grader's verdict on every answer; one without text is decided here."""
        golds = {item.id: item.text("answer") for item in items}
        asked = [row for row in responses if row["finish_reason"] != "too_long"]
        verdicts = iter(
            grading.grade_many(
                [(golds[str(row["id"])], cast("str", row["text"])) for row in asked],
                profile=protocol.grader,
                workers=settings.workers,
                on_result=_counting(settings.on_graded),
            )
        )
        rows: list[Row] = []
        for row in responses:
            common = {
                "id": row["id"],
                "sample": row["sample"],
                "finish_reason": row["finish_reason"],
                "num_tokens": row["num_tokens"],
            }
            if row["finish_reason"] == "too_long":
                rows.append({**common, "status": "too_long", "extracted": None})
                continue
            verdict = next(verdicts)
            rows.append(
                {
                    **common,
                    "status": verdict.status,
                    "extracted": verdict.extracted,
                    "method": verdict.method,
                    "detail": verdict.detail,
                    "steps": asdict(grading.step_quality(cast("str", row["text"]))),
                }
            )
        return rows

    def summarise(
        self,
        items: Sequence[Item],  # noqa: ARG002 - the verdicts say it all
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,
    ) -> Metrics:
        """Return accuracy with its interval."""
        details = {**self.more_details(verdicts), "reasoning": reasoning(verdicts, settings)}
        return share_metrics(verdicts, passed="correct", settings=settings, details=details)

    def warm_up(self) -> None:
        """Start the symbolic workers, which import for two seconds."""
        from debias_eval.grading.workers import service  # noqa: PLC0415 - half of the grader

        service()

    def more_details(self, verdicts: Sequence[Row]) -> Mapping[str, object]:  # noqa: ARG002
        """Return what a benchmark adds to its details."""
        return {}


def reasoning(verdicts: Sequence[Row], settings: GradeSettings) -> dict[str, object]:
    """Return what the steps of all answers are worth.

    ``share_of_steps_whose_arithmetic_holds`` is over the steps in which there is an equation to
    check; steps of one problem are one cluster. None where no answer has any.
    """
    rows = [
        (str(row["id"]), cast("dict[str, float]", row["steps"]))
        for row in verdicts
        if "steps" in row
    ]
    held: list[float] = []
    clusters: list[str] = []
    for name, steps in rows:
        checked, right = int(steps["arithmetic"]), int(steps["held"])
        held += [1.0] * right + [0.0] * (checked - right)
        clusters += [name] * checked
    share, interval = _share_of(held, clusters, settings)
    total = max(len(rows), 1)
    return {
        "share_of_steps_whose_arithmetic_holds": share,
        "interval": interval,
        "num_steps_with_arithmetic": len(held),
        "share_of_answers_with_arithmetic": sum(s["arithmetic"] > 0 for _, s in rows) / total,
        "mean_steps": sum(s["num_steps"] for _, s in rows) / total,
        "mean_repetition": sum(s["repetition"] for _, s in rows) / total,
    }


def _share_of(
    held: list[float], clusters: list[str], settings: GradeSettings
) -> tuple[float | None, tuple[float, float] | None]:
    if not held:
        return None, None
    share = sum(held) / len(held)
    if share in (0.0, 1.0):  # no spread to resample: as many trials as there are problems
        problems = len(set(clusters))
        bounds = statistics.wilson_interval(int(share * problems), problems)
        return share, (float(bounds.low), float(bounds.high))
    found = statistics.cluster_bootstrap(held, clusters, resamples=settings.resamples)
    return share, finite_interval(found.low, found.high)
