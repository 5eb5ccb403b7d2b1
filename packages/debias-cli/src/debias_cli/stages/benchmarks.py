"""Which benchmarks an evaluation is made of, and the key of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from debias_cli.config.evaluate import EvaluateSection, Task, task_label
from debias_cli.config.load import LoadedConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.stages.keys import Benchmark, code_of, key_of
from debias_cli.stages.requests import TaskReads, task_reads, task_request

_SANDBOX = ("sandbox", "allow_unsandboxed", "sandbox_python")
_BACKEND = ("backend", "backend_options", "batch_size")


@dataclass(frozen=True, slots=True)
class Measured:
    """The model that an evaluation looks at.

    Attributes:
        inputs: hash of its weights, where it is the original.
        needs: keys of the training that made it, where one did, and of the pair table.
    """

    inputs: Mapping[str, str]
    needs: Mapping[str, str]


def benchmarks_of(
    loaded: LoadedConfig, model: Measured, data: Mapping[str, Mapping[Path, str]]
) -> Iterator[Benchmark]:
    """The benchmarks of the `evaluate` section on one model, in its order.

    Args:
        loaded: the configuration.
        model: which is looked at.
        data: what `task_fingerprints` found of the section.
    """
    config, section = loaded.config, loaded.config.evaluate
    assert section is not None
    code = code_of("evaluate")
    plain = config.model_dump(mode="json", by_alias=True)
    for index, task in enumerate(section.tasks):
        reads = task_reads(task)
        needs = {name: key for name, key in model.needs.items() if name != "data" or reads.pairs}
        request = task_request(task, config)
        own = {str(path): found for path, found in data.get(task_label(task), {}).items()}
        content = {
            "request": request,
            "with": _around(plain, reads),
            "inputs": [*model.inputs.values(), *own.values()],
            "code": code,
            "needs": needs,
        }
        yield Benchmark(
            name=task_label(task),
            config={**_entry(loaded, index, request), **_around(loaded.saved, reads)},
            inputs={**model.inputs, **own},
            code=code,
            needs=tuple(needs),
            key=key_of(content),
        )


def reads_pairs(section: EvaluateSection) -> bool:
    """Whether a benchmark of the section reads the pair table."""
    return any(task_reads(task).pairs for task in section.tasks)


def task_named(section: EvaluateSection, name: str) -> Task:
    """The task that is called so in results."""
    return next(task for task in section.tasks if task_label(task) == name)


def _entry(loaded: LoadedConfig, index: int, request: Mapping[str, Plain]) -> dict[str, Plain]:
    """The task as it was written, with its defaults; where its data lies does not matter.

    Of two protocols, one for each kind of prompt, it has the one that is asked for.
    """
    section = loaded.saved["evaluate"]
    assert isinstance(section, dict)
    tasks = section["tasks"]
    assert isinstance(tasks, list)
    entry = tasks[index]
    assert isinstance(entry, dict)
    found = {name: value for name, value in entry.items() if name not in ("name", "data")}
    changes = request["protocol"]
    if isinstance(found.get("protocol"), dict) and isinstance(changes, dict):
        found["protocol"] = changes["profile"]
    return found


def _around(plain: Mapping[str, Plain], reads: TaskReads) -> dict[str, Plain]:
    """The fields outside of a task's entry that its result depends on."""
    model, section, run = plain["model"], plain["evaluate"], plain["run"]
    assert isinstance(model, dict)
    assert isinstance(section, dict)
    assert isinstance(run, dict)
    apart = {"path"} if reads.prompt else {"path", "prompt"}  # a path's content is an input
    fields = (*_BACKEND, *_SANDBOX) if reads.sandbox else _BACKEND
    found: dict[str, Plain] = {
        "model": {name: value for name, value in model.items() if name not in apart},
        "evaluate": {name: section[name] for name in fields},
    }
    return found | ({"run": {"seed": run["seed"]}} if reads.seed else {})
