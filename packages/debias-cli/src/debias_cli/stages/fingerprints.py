"""What a stage's result depends on besides its configuration: files, weights, and code.

Nothing here imports torch or any of the three packages: versions come from package metadata,
code from the files on disk.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from debias_cli.config.evaluate import (
    EntropyGapTask,
    EvaluateSection,
    Task,
    benchmark_name,
    listed_name,
    task_label,
)
from debias_cli.config.model import ModelSection
from debias_cli.errors import MissingError
from debias_cli.resources import is_testbed_data, local_model, testbed_file
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.requests import task_reads

_NOT_INSTALLED = "not installed"
_CODE_SUFFIXES = {".py", ".json", ".jsonl", ".tsv", ".csv", ".txt", ".j2", ".html"}


@cache
def code_fingerprint(package: str) -> str:
    """`version+hash of the package's source files`, so that an edited checkout runs again.

    Raises:
        MissingError: the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingError(f"package {package} is not installed; pip install {package}")
    root = Path(next(iter(spec.submodule_search_locations)))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in _CODE_SUFFIXES and path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return f"{package_version(package.replace('_', '-'))}+{digest.hexdigest()[:12]}"


def package_version(name: str) -> str:
    """Version of an installed distribution, from its metadata."""
    try:
        return version(name)
    except PackageNotFoundError:
        return _NOT_INSTALLED


def model_fingerprint(model: ModelSection, hashes: HashCache) -> str:
    """Hash of the weights and the tokenizer; for a hub id, the commit that is in the local cache.

    Raises:
        MissingError: a local folder is not there.
    """
    folder = local_model(model.path)
    if folder is not None:
        return hashes.tree(folder)
    return f"{model.path}@{_cached_commit(model.path, model.revision) or model.revision or 'main'}"


def _cached_commit(repo: str, revision: str | None) -> str | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - 200 ms, hub ids only

    found = try_to_load_from_cache(repo, "config.json", revision=revision)
    return Path(found).parent.name if isinstance(found, str) else None


def path_fingerprints(section: BaseModel, hashes: HashCache) -> dict[str, str]:
    """Content hash of every path that a section names, by the path.

    Raises:
        MissingError: one of them is not there; every missing one is named.
    """
    found: dict[str, str] = {}
    missing: list[str] = []
    for path in _paths_in(section):
        try:
            found[str(path)] = hashes.tree(path)
        except MissingError as error:
            missing.append(str(error))
    if missing:
        raise MissingError("\n".join(missing))
    return found


def check_tasks_exist(section: EvaluateSection) -> None:
    """Nothing, when the installed debias-eval has every task.

    Raises:
        MissingError: it lacks one; names those that it has.
    """
    from debias_eval.tasks.registry import tasks  # noqa: PLC0415 - no torch, but no use elsewhere

    lacking = sorted({name for name in map(listed_name, section.tasks) if name not in tasks})
    if lacking:
        installed = package_version("debias-eval")
        raise MissingError(
            f"evaluate.tasks: {', '.join(lacking)}: not in the installed debias-eval {installed} "
            f"(it has {', '.join(tasks.names())})"
        )


def task_fingerprints(section: EvaluateSection, hashes: HashCache) -> dict[str, dict[Path, str]]:
    """Content hash of the data of every task, by the task's name in results.

    Raises:
        MissingError: data is not there; every missing file is named, with where to put it.
    """
    found: dict[str, dict[Path, str]] = {}
    missing: list[str] = []
    for task in section.tasks:
        try:
            path = task_data_path(task, section.data_dir or _data_dir_of_environment())
            if path is not None:
                found[task_label(task)] = {path: hashes.tree(path)}
        except MissingError as error:
            missing.append(f"evaluate: {error}")
    if missing:
        raise MissingError("\n".join(missing))
    return found


def task_data_path(task: Task, data_dir: Path | None) -> Path | None:
    """Where a task's data lies; None where it is the pair table of the `data` section.

    Raises:
        MissingError: it is not there.
    """
    if task_reads(task).pairs:
        return None
    assert not isinstance(task, EntropyGapTask)
    if task.data is not None and is_testbed_data(task.data):
        return testbed_file(task.data)
    from debias_eval.data_dir import locate_data  # noqa: PLC0415 - no torch, but no use elsewhere
    from debias_eval.errors import DebiasEvalError  # noqa: PLC0415 - as above
    from debias_eval.tasks.registry import get_task  # noqa: PLC0415 - as above

    try:
        return locate_data(
            get_task(benchmark_name(task)), task.data, data_dir, name=task_label(task)
        )
    except DebiasEvalError as error:
        raise MissingError(str(error)) from None


def _data_dir_of_environment() -> Path | None:
    named = os.environ.get("DEBIAS_DATA_DIR")
    return Path(named).absolute() if named else None


def _paths_in(value: object) -> list[Path]:
    if isinstance(value, Path):
        return [value]
    if isinstance(value, BaseModel):
        values = [getattr(value, name) for name in type(value).model_fields]
        return [path for item in values for path in _paths_in(item)]
    if isinstance(value, tuple):
        return [path for item in value for path in _paths_in(item)]
    return []
