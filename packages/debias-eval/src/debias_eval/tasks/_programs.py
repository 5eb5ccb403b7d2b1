"""What the code benchmarks share: programs to the executor, pass@k out of its outcomes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.code.environment import inspect_environment
from debias_eval.code.extraction import extract_completion, extract_program
from debias_eval.code.pass_at_k import pass_at_k
from debias_eval.errors import UnknownNameError
from debias_eval.tasks._running import Part, run_answers, verdict_row
from debias_eval.tasks.generation import EXCLUDED, GenerationTask, item_shares, share_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.execution import Executor, Limits, Program
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings, Item

__all__ = ["CodeTask", "Expectations", "OneProgramTask", "limits_of", "program_text"]

_PASS_AT = (1, 5, 10, 100)
_EXTRACTIONS = ("completion", "program")


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


def limits_of(protocol: Protocol) -> Limits:
    """Return the limits that the protocol names, or else the executor's own."""
    if protocol.cpu_seconds is None:
        return execution.Limits()
    return execution.Limits(cpu=protocol.cpu_seconds)


class Expectations(NamedTuple):
    """What references tell, by keys of the task's own, and the ids of those that fail, with why."""

    found: Mapping[str, object]
    broken: Mapping[str, str]


class CodeTask(GenerationTask):
    """A benchmark whose answers are programs, judged by running tests."""

    @abstractmethod
    def parts(
        self, item: Item, completion: str, protocol: Protocol, expected: Mapping[str, object]
    ) -> list[Part]:
        """Return the programs that decide about one completion.

        Args:
            item: The problem.
            completion: The model's text.
            protocol: How it is read, and the limits.
            expected: What ``expectations`` found.
        """

    def expectations(
        self,
        items: Sequence[Item],  # noqa: ARG002 - subclasses read them
        executor: Executor,  # noqa: ARG002
    ) -> Expectations:
        """Return what running the references tells, before any answer runs."""
        return Expectations({}, {})

    def unable(
        self,
        items: Sequence[Item],  # noqa: ARG002 - subclasses read them
        settings: GradeSettings,  # noqa: ARG002
    ) -> Mapping[str, str]:
        """Return the ids that cannot be judged on this machine, each with the reason."""
        return {}

    def open_executor(self, settings: GradeSettings) -> Executor:
        """Return the executor that the settings ask for."""
        return execution.Executor(
            level=settings.level,
            allow_unsandboxed=settings.allow_unsandboxed,
            workers=settings.workers,
            python=settings.python,
        )

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the executor's outcome for every answer.

        An empty completion is run like any other: it fails, and stays in the denominator. So does
        a prompt that was too long; a question that cannot be judged never counts, for no model.
        """
        asked = {str(row["id"]) for row in responses}
        by_id = {item.id: item for item in items if item.id in asked}
        unable = self.unable(list(by_id.values()), settings)
        able = [item for item in by_id.values() if item.id not in unable]
        decided: dict[int, Row] = {}
        with self.open_executor(settings) as executor:
            expected = self.expectations(able, executor)
            libraries = _libraries(settings)
            for index, row in enumerate(responses):
                name = str(row["id"])
                if name in unable:
                    decided[index] = {"status": "infra_error", "detail": unable[name]}
                elif name in expected.broken:
                    decided[index] = {"status": "gold_error", "detail": expected.broken[name]}
                elif row["finish_reason"] == "too_long":
                    decided[index] = {"status": "too_long", "detail": "prompt too long"}

            def parts_of(index: int) -> list[Part]:
                row = responses[index]
                text = cast("str", row["text"])
                parts = self.parts(by_id[str(row["id"])], text, protocol, expected.found)
                return [part.with_libraries(libraries) for part in parts]

            todo = [index for index in range(len(responses)) if index not in decided]
            outcomes = run_answers(executor, todo, parts_of, settings.on_graded)
        decided |= {index: verdict_row(parts) for index, parts in outcomes.items()}
        return [
            {
                "id": row["id"],
                "sample": row["sample"],
                "finish_reason": row["finish_reason"],
                "num_tokens": row["num_tokens"],
                **decided[index],
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
        details: dict[str, object] = {
            "pass_at_k": _pass_at_k(verdicts),
            "isolation": sorted({str(row["level"]) for row in verdicts if row.get("level")}),
            "flaky": [row["id"] for row in verdicts if row["status"] == "flaky"],
            # Tests that ran beside the solution: such a verdict can be forged.
            "num_unsplit": sum(row.get("split") is False for row in verdicts),
        }
        if any(row["status"] in EXCLUDED for row in verdicts):
            details["note"] = "some samples could not be run on this machine and are not scored"
        return share_metrics(verdicts, passed="passed", settings=settings, details=details)


def _libraries(settings: GradeSettings) -> tuple[str, ...]:
    """Return the folders of what programs may import besides the standard library."""
    if not settings.python:
        return ()
    return inspect_environment(settings.python, ()).libraries


def _pass_at_k(verdicts: Sequence[Row]) -> dict[str, float]:
    shares = item_shares(verdicts, "passed")
    fewest = min((len(values) for values in shares.values()), default=0)
    return {
        str(k): sum(pass_at_k(len(v), sum(v), k) for v in shares.values()) / len(shares)
        for k in _PASS_AT
        if k <= fewest
    }


class OneProgramTask(CodeTask):
    """A code benchmark whose answers are judged by one program each."""

    @abstractmethod
    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return what the executor runs for one completion."""

    def parts(
        self,
        item: Item,
        completion: str,
        protocol: Protocol,
        expected: Mapping[str, object],  # noqa: ARG002 - its tests hold what is expected
    ) -> list[Part]:
        """Return the one program, with the reference solution in its place as the reference."""
        program = replace(self.program(item, completion, protocol), limits=limits_of(protocol))
        canonical = item.fields.get("canonical_solution")
        reference = None
        if isinstance(canonical, str):
            as_it_is = replace(protocol, extraction="completion")
            reference = self.program(item, canonical, as_it_is)
        return [Part("", program, reference)]
