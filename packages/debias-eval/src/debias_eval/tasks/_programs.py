"""What the code benchmarks share: programs to the executor, pass@k out of its outcomes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.code.extraction import extract_completion, extract_program
from debias_eval.code.pass_at_k import pass_at_k
from debias_eval.errors import UnknownNameError
from debias_eval.tasks.generation import EXCLUDED, GenerationTask, item_shares, share_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.execution import Limits, Program
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings, Item

__all__ = ["CodeTask", "program_text"]

_PASS_AT = (1, 5, 10, 100)
_EXTRACTIONS = ("completion", "program")
_KEPT_OUTPUT = 2000


def program_text(item: Item, completion: str, extraction: str) -> str:
    """Return the whole program that a completion stands for.

    Args:
        item: The problem; its prompt is the start of the program.
        completion: The model's text.
        extraction: ``completion`` continues the prompt (a fenced block gives its inside);
            ``program`` takes the code out of a free answer, the prompt's imports in front.
    """
    if extraction == "completion":
        return item.prompt + extract_completion(completion)
    if extraction == "program":
        return extract_program(completion, item.text("entry_point"), prompt=item.prompt)
    raise UnknownNameError("extraction", extraction, _EXTRACTIONS)


def limits_of(protocol: Protocol) -> Limits | None:
    """Return the limits that the protocol names, or None for the executor's own."""
    if protocol.cpu_seconds is None:
        return None
    return execution.Limits(cpu=protocol.cpu_seconds)


class CodeTask(GenerationTask):
    """A benchmark whose answers are programs, judged by running tests."""

    @abstractmethod
    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return what the executor runs for one completion; the id is filled in later."""

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the executor's outcome for every answer.

        An empty completion is run like any other: it fails, and stays in the denominator.
        """
        by_id = {item.id: item for item in items}
        programs = []
        for index, row in enumerate(responses):
            if row["finish_reason"] != "too_long":
                program = self.program(by_id[str(row["id"])], cast("str", row["text"]), protocol)
                programs.append(replace(program, id=str(index), limits=limits_of(protocol)))
        outcomes: dict[int, Row] = {}
        with execution.Executor(
            level=settings.level,
            allow_unsandboxed=settings.allow_unsandboxed,
            workers=settings.workers,
        ) as executor:
            for outcome in executor.run(programs):
                if settings.on_graded is not None:
                    settings.on_graded(len(outcomes) + 1)
                outcomes[int(outcome.id)] = {
                    "status": str(outcome.status),
                    "detail": outcome.detail,
                    "cpu_seconds": outcome.cpu_seconds,
                    "wall_seconds": outcome.wall_seconds,
                    "level": str(outcome.level),
                    "split": outcome.split,
                    "output": outcome.output[:_KEPT_OUTPUT],
                }
        return [
            {
                "id": row["id"],
                "sample": row["sample"],
                "finish_reason": row["finish_reason"],
                "num_tokens": row["num_tokens"],
                **outcomes.get(index, {"status": "too_long", "detail": "prompt too long"}),
            }
            for index, row in enumerate(responses)
        ]

    def summarise(
        self,
        items: Sequence[Item],  # noqa: ARG002 - the verdicts say it all
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,
    ) -> Metrics:
        """Return pass@1 with its interval, and pass@k for every k that the samples allow."""
        shares = item_shares(verdicts, "passed")
        fewest = min((len(values) for values in shares.values()), default=0)
        details: dict[str, object] = {
            "pass_at_k": {
                str(k): sum(pass_at_k(len(v), sum(v), k) for v in shares.values()) / len(shares)
                for k in _PASS_AT
                if k <= fewest
            },
            "isolation": sorted({str(row["level"]) for row in verdicts if row.get("level")}),
            "flaky": [row["id"] for row in verdicts if row["status"] == "flaky"],
        }
        if any(row["status"] in EXCLUDED for row in verdicts):
            details["note"] = "some samples could not be run on this machine and are not scored"
        return share_metrics(verdicts, passed="passed", settings=settings, details=details)
