r"""BigCodeBench: functions that use libraries (Zhuo et al. 2024, arXiv 2406.15877), in four names.

A row is ``{"task_id", "complete_prompt", "instruct_prompt", "canonical_solution", "code_prompt",
"test", "entry_point", "libs": "['os', ...]"}``. The program is the calibrated one,
``code_prompt + "\n    pass\n" + solution``, and its tests are `unittest` classes that need the
solution's own objects: they run *beside* it in the sandbox. Every verdict says so
(``split: false``, ``num_unsplit``).

The libraries are those of an interpreter that the user points to (``--sandbox-python``); tasks of
which a library is missing are listed and left out, never failed. Nothing leaves this machine.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.code.environment import imported_modules, inspect_environment
from debias_eval.code.extraction import extract_program
from debias_eval.errors import InputError, UnknownNameError
from debias_eval.jsonl import read_models
from debias_eval.profiles import PROFILES
from debias_eval.protocol import Protocol
from debias_eval.tasks._programs import CodeTask
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks._running import Part
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.execution import Executor, Limits
    from debias_eval.jsonl import Row
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import GradeSettings

__all__ = ["BigCodeBench"]

_SECONDS = 240.0
_MEMORY = 4 << 30
_LIBRARY_MISSING = "missing libraries: "
_FULL = ("bigcodebench/BigCodeBench-v0.1.0_hf.jsonl.gz", "bigcodebench/BigCodeBench.jsonl")
_HARD = ("bigcodebench/BigCodeBench-Hard.jsonl", "bigcodebench/BigCodeBench-Hard.jsonl.gz")
_EXTRACTIONS = ("completion", "program")


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    task_id: str
    complete_prompt: str
    instruct_prompt: str
    canonical_solution: str | None = None
    code_prompt: str
    test: str
    entry_point: str
    libs: str | list[str] = []


class BigCodeBench(CodeTask):
    """pass@1, calibrated."""

    profile: ClassVar[str]

    def protocol(self) -> Protocol:
        """Return BigCodeBench v0.1.4's protocol, greedy, 1,280 tokens."""
        changes = PROFILES[self.profile]
        return Protocol().with_changes(changes).with_changes({"profile": self.profile})

    def load(self, path: Path, protocol: Protocol) -> list[Item]:  # noqa: ARG002
        """Return the tasks in the file's order, with the modules that each needs."""
        items = [self._item(path, row) for row in read_models(path, _Row)]
        unique_ids(path, items)
        return items

    def _item(self, path: Path, row: _Row) -> Item:
        try:
            libs = ast.literal_eval(row.libs) if isinstance(row.libs, str) else row.libs
            named = {str(name).partition(".")[0] for name in libs}
        except (ValueError, SyntaxError, TypeError) as error:
            raise InputError(f"{path}: task {row.task_id}: libs: {row.libs!r:.100}") from error
        needed = named | imported_modules([f"{row.code_prompt}\n    pass\n", row.test])
        instruct = self.profile.endswith("instruct")
        return Item(
            row.task_id,
            row.instruct_prompt if instruct else row.complete_prompt,
            {
                "entry_point": row.entry_point,
                "code_prompt": row.code_prompt,
                "test": row.test,
                "canonical_solution": row.canonical_solution,
                "libs": sorted(needed),
            },
        )

    def open_executor(self, settings: GradeSettings) -> Executor:
        """Return the executor.

        Raises:
            SandboxUnavailableError: Only `landlock` works here: it refuses the processes and
                sockets that these tests start.
        """
        executor = super().open_executor(settings)
        if executor.level == "landlock":
            executor.close()
            raise execution.SandboxUnavailableError(
                f"{self.info.name}: its tests start processes, which level landlock refuses; "
                "use a machine where level hardened works (user namespaces)"
            )
        return executor

    def unable(self, items: Sequence[Item], settings: GradeSettings) -> Mapping[str, str]:
        """Return the tasks of which a library is missing."""
        needed = {item.id: set(cast("list[str]", item.fields["libs"])) for item in items}
        missing = inspect_environment(settings.python, set().union(*needed.values())).missing
        return {
            name: f"{_LIBRARY_MISSING}{', '.join(sorted(modules & missing))}"
            for name, modules in needed.items()
            if modules & missing
        }

    def parts(
        self,
        item: Item,
        completion: str,
        protocol: Protocol,
        expected: Mapping[str, object],  # noqa: ARG002 - its tests hold what is expected
    ) -> list[Part]:
        """Return the calibrated program with its `unittest` classes."""
        program = execution.Program(
            id=item.id,
            solution=_calibrated(item, completion, protocol.extraction),
            test=item.text("test"),
            entry_point=item.text("entry_point"),
            style="unittest",
            limits=_limits(protocol),
            system=True,
        )
        return [Part("", program)]

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return pass@k; ``details.missing_libraries`` lists the tasks that were left out."""
        metrics = super().summarise(items, verdicts, protocol, settings)
        left_out = {
            str(row["id"]): str(row["detail"]).removeprefix(_LIBRARY_MISSING)
            for row in verdicts
            if str(row["detail"]).startswith(_LIBRARY_MISSING) and row["status"] == "infra_error"
        }
        added = {
            "tests": "beside the solution, in the sandbox (not split)",
            "missing_libraries": left_out,
        }
        return replace(metrics, details={**metrics.details, **added})


def _calibrated(item: Item, completion: str, extraction: str) -> str:
    if extraction == "completion":  # a body that goes on, or a program of its own: both fit
        solution = completion
    elif extraction == "program":
        prompt = f"{item.text('code_prompt')}    pass\n"
        solution = extract_program(completion, item.text("entry_point"), prompt=prompt)
    else:
        raise UnknownNameError("extraction", extraction, _EXTRACTIONS)
    return f"{item.text('code_prompt')}\n    pass\n{solution}"


def _limits(protocol: Protocol) -> Limits:
    seconds = protocol.cpu_seconds or _SECONDS
    return execution.Limits(cpu=seconds, wall=seconds, memory=_MEMORY, scratch=256 << 20, files=256)


@tasks.register("bigcodebench")
class BigCodeBenchComplete(BigCodeBench):
    """The full set, completed from docstrings."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="bigcodebench",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="functions that use libraries, from docstrings (1,140; tests not split)",
        data=_FULL,
    )
    profile = "bcb-v0.1.4"


@tasks.register("bigcodebench_instruct")
class BigCodeBenchInstruct(BigCodeBench):
    """The full set, written from instructions."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="bigcodebench_instruct",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="functions that use libraries, from instructions (1,140; tests not split)",
        data=_FULL,
    )
    profile = "bcb-v0.1.4-instruct"


@tasks.register("bigcodebench_hard")
class BigCodeBenchHard(BigCodeBench):
    """The hard tasks, completed from docstrings."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="bigcodebench_hard",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="BigCodeBench's hard tasks, from docstrings (148; tests not split)",
        data=_HARD,
    )
    profile = "bcb-v0.1.4"


@tasks.register("bigcodebench_hard_instruct")
class BigCodeBenchHardInstruct(BigCodeBench):
    """The hard tasks, written from instructions."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="bigcodebench_hard_instruct",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="BigCodeBench's hard tasks, from instructions (148; tests not split)",
        data=_HARD,
    )
    profile = "bcb-v0.1.4-instruct"
