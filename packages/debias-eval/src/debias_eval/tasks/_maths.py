"""What the maths benchmarks share: grading by the bounded grader, share of correct answers."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, cast

from debias_eval import grading  # lazy: its parts load on first use
from debias_eval.tasks.generation import GenerationTask, share_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from debias_eval.grading import Verdict
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings, Item

__all__ = ["MathsTask"]


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
        return share_metrics(verdicts, passed="correct", settings=settings)
