"""What is to be scored: a task, its data, protocol and items, before any model is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from debias_eval.data_dir import data_sha256, locate_data
from debias_eval.errors import InputError
from debias_eval.profiles import resolve_protocol
from debias_eval.stages import Benchmark
from debias_eval.tasks.base import Item
from debias_eval.tasks.registry import get_task

__all__ = ["TaskSpec", "check_names", "prepare"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One benchmark of a run.

    Attributes:
        task: Name of the task.
        name: Name in the results; None is the task's own.
        limit: Only the first so many items.
        data: A file (or folder) in the task's schema in place of the published data.
        protocol: Name of a profile, or changes to the task's protocol.
        samples: Answers an item, over ``protocol.sampling.n``.
    """

    task: str
    name: str | None = None
    limit: int | None = None
    data: Path | str | None = None
    protocol: str | Mapping[str, object] | None = None
    samples: int | None = None

    @property
    def result_name(self) -> str:
        """Return the name in the results."""
        return self.name or self.task


def prepare(
    spec: TaskSpec,
    folder: Path,
    data_dir: Path | None,
    protocol: str | Mapping[str, object] | None,
) -> tuple[Benchmark, list[Item]]:
    """Return the benchmark of ``spec`` and its items: everything that needs no model."""
    task = get_task(spec.task)
    path = locate_data(task, spec.data, data_dir, name=spec.result_name)
    chosen = resolve_protocol(resolve_protocol(task.protocol(), protocol), spec.protocol)
    if spec.samples is not None:
        chosen = chosen.with_changes({"sampling": {"n": spec.samples}})
    chosen = chosen.with_changes({"data_sha256": data_sha256(path, task.companions)})
    items = task.load(path, chosen)
    if spec.limit is not None:
        if spec.limit < 1:
            raise InputError(f"{spec.result_name}: limit is {spec.limit}; it must be 1 or more")
        items = items[: spec.limit]
    return Benchmark(spec.result_name, task, chosen, folder / spec.result_name), items


def check_names(specs: Sequence[TaskSpec]) -> None:
    """Raise an `InputError` where two results would have one name, or none is given."""
    if not specs:
        raise InputError("no task was given")
    seen: set[str] = set()
    for spec in specs:
        name = spec.result_name
        if not _NAME.fullmatch(name):
            raise InputError(f"result name {name!r}: use letters, digits and _ . + - only")
        if name in seen:
            raise InputError(f"two benchmarks are called {name!r}; give one of them a name")
        seen.add(name)
