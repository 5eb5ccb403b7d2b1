"""What HumanEval+ and MBPP+ share: base and further inputs, compared with a reference's outputs.

Source: https://github.com/evalplus/evalplus (v0.3.1). An answer counts if it is right on both.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from debias_eval import execution, statistics  # lazy: their parts load on first use
from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.profiles import PROFILES
from debias_eval.protocol import Protocol
from debias_eval.tasks._expected import Reference, References, decode, encode, run_references
from debias_eval.tasks._programs import CodeTask, Expectations, limits_of, program_text
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks._running import Part, scaled_limits
from debias_eval.tasks.base import Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.execution import Executor, Program
    from debias_eval.execution.program import Compare
    from debias_eval.jsonl import Row
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings

__all__ = ["EvalPlusTask"]

GROUPS = ("base", "plus")


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: list[list[object]]
    plus_input: list[list[object]] | dict[str, object]  # MBPP/793 has none: {}
    atol: float = 0.0


class EvalPlusTask(CodeTask):
    """pass@1: the share of functions that are right on the base and the further inputs."""

    oracles: ClassVar[Mapping[str, Compare]] = {}
    """How outputs are compared, by entry point; ``equal`` for all others."""

    def protocol(self) -> Protocol:
        """Return EvalPlus' direct completion, greedy."""
        return Protocol().with_changes(PROFILES["evalplus"]).with_changes({"profile": "evalplus"})

    @abstractmethod
    def arguments(self, task_id: str, inputs: list[list[object]]) -> list[list[object]]:
        """Return inputs with the types that JSON does not have, such as tuples, put back."""

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the problems in the file's order; inputs are kept in the executor's notation."""
        items = [self._item(path, row) for row in read_models(path, _Row, constants=True)]
        unique_ids(path, items)
        return items

    def _item(self, path: Path, row: _Row) -> Item:
        plus = row.plus_input if isinstance(row.plus_input, list) else []
        try:
            inputs = [self.arguments(row.task_id, group) for group in (row.base_input, plus)]
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise InputError(f"{path}: task {row.task_id}: inputs: {error}") from error
        if not any(inputs):
            raise InputError(f"{path}: task {row.task_id}: base_input: no inputs")
        fields: dict[str, object] = {
            "entry_point": row.entry_point,
            "canonical_solution": row.canonical_solution,
            "atol": row.atol,
        }
        fields |= {group: encode(args) for group, args in zip(GROUPS, inputs, strict=True)}
        return Item(row.task_id, row.prompt, fields)

    def tests(self, item: Item, solution: str) -> dict[str, Program]:
        """Return, by group, the program that runs `solution` on the item's inputs."""
        entry_point = item.text("entry_point")
        program = execution.Program(
            id=item.id,
            solution=solution,
            test="",
            entry_point=entry_point,
            style="io",
            atol=cast("float", item.fields["atol"]),
            compare=self.oracles.get(entry_point, "equal"),
        )
        inputs = {group: tuple(decode(item.fields[group])) for group in GROUPS}
        return {
            group: replace(program, inputs=tuple(map(list, args)))
            for group, args in inputs.items()
            if args
        }

    def expectations(self, items: Sequence[Item], executor: Executor) -> Expectations:
        """Return what the reference solutions return, under ``ID/GROUP``."""
        programs = {
            f"{item.id}/{group}": replace(program, style="record")
            for item in items
            for group, program in self.tests(
                item, item.prompt + item.text("canonical_solution")
            ).items()
        }
        references: References = run_references(executor, programs)
        broken = {key.rpartition("/")[0]: reason for key, reason in references.broken.items()}
        return Expectations(references.found, broken)

    def parts(
        self, item: Item, completion: str, protocol: Protocol, expected: Mapping[str, object]
    ) -> list[Part]:
        """Return one program a group, under limits that scale with the reference's time."""
        solution = program_text(item, completion, protocol.extraction)
        parts = []
        for group, program in self.tests(item, solution).items():
            reference = cast("Reference", expected[f"{item.id}/{group}"])
            used = [n for n in range(len(program.inputs)) if n not in reference.skipped]
            program = replace(  # noqa: PLW2901 - the same with what is expected
                program,
                inputs=tuple(program.inputs[n] for n in used),
                expected=tuple(reference.outputs[n] for n in used),
                limits=scaled_limits(limits_of(protocol), reference.cpu_seconds),
            )
            parts.append(Part(group, program))
        return parts

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return pass@k on both groups; ``details.base`` is the share on the base inputs alone."""
        metrics = super().summarise(items, verdicts, protocol, settings)
        groups = [cast("Row", row["parts"]) for row in verdicts if row.get("parts")]
        base = [group["base"] == "passed" for group in groups if "base" in group]
        if not base:
            return metrics
        bounds = statistics.wilson_interval(sum(base), len(base))
        detail = {
            "n": len(base),
            "k": sum(base),
            "score": sum(base) / len(base),
            "interval": [float(bounds.low), float(bounds.high)],
        }
        return replace(metrics, details={**metrics.details, "base": detail})
