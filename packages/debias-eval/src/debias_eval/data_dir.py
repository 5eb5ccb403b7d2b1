"""Where benchmark data is looked for.

The layout is one folder a benchmark: ``DIR/gsm8k/test.jsonl``, ``DIR/winogender/*.tsv`` and so on.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from debias_eval.errors import InputError, MissingError
from debias_eval.files import sha256_file

if TYPE_CHECKING:
    from debias_eval.tasks.base import Task

__all__ = ["ENVIRONMENT", "data_sha256", "find_data", "locate_data", "resolve_data_dir"]

ENVIRONMENT = "DEBIAS_DATA_DIR"


def resolve_data_dir(data_dir: Path | str | None) -> Path | None:
    """Return the data folder: the argument, else ``$DEBIAS_DATA_DIR``, else None.

    Raises:
        MissingError: A folder was named and is not there.
    """
    named = data_dir if data_dir is not None else os.environ.get(ENVIRONMENT) or None
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise MissingError(f"{folder}: the data folder does not exist")
    return folder


def find_data(data_dir: Path | None, *relative: str, task: str, source: str = "") -> Path:
    """Return the first of ``relative`` that exists under ``data_dir``.

    Args:
        data_dir: The data folder.
        relative: Names in it, the preferred one first.
        task: Who asks, for the message.
        source: Where the data comes from, for the message.

    Raises:
        MissingError: None does; the message names the file and where to put it.
    """
    origin = f" ({source})" if source else ""
    if data_dir is not None:
        for name in relative:
            if (data_dir / name).exists():
                return data_dir / name
        raise MissingError(
            f"{task}: no {relative[0]!r} in {data_dir}; put it at {data_dir / relative[0]}{origin}"
        )
    raise MissingError(
        f"{task}: needs {relative[0]!r}; put it in a data folder and name the folder with "
        f"--data-dir DIR or {ENVIRONMENT}=DIR, or give the file itself with --data FILE{origin}"
    )


def locate_data(task: Task, data: Path | str | None, data_dir: Path | None, *, name: str) -> Path:
    """Return where a task's data lies: what was given, else in the data folder, else its own.

    Args:
        task: The benchmark.
        data: A file or folder in the task's schema, in place of the published data.
        data_dir: The data folder.
        name: Name in the results, for messages.

    Raises:
        MissingError: There is no such file; the message says where to put it.
        InputError: A file was given where a folder is needed.
    """
    if data is not None:
        path = Path(data).expanduser()
        if not path.exists():
            raise MissingError(f"{name}: {path}: no such file")
        return path if path.is_file() and task.takes_file else _whole(task, path, name)
    info = task.info
    if data_dir is None or not any((data_dir / place).exists() for place in info.data):
        carried = task.default_data()
        if carried is not None:
            return carried
    found = find_data(data_dir, *info.data, task=info.name, source=info.source)
    return _whole(task, found, name)


def _whole(task: Task, path: Path, name: str) -> Path:
    """Return the folder that holds every file of a task with several; others as they are."""
    if task.companions and not path.is_dir():
        raise InputError(f"{name}: {path}: give the folder of {task.companions}")
    lacking = [companion for companion in task.companions if not (path / companion).is_file()]
    if lacking:
        raise MissingError(f"{name}: {path / lacking[0]}: no such file")
    return path


def data_sha256(path: Path, names: tuple[str, ...] = ()) -> str:
    """Return the sha256 of a file, or of the named files of a folder, one after the other."""
    if path.is_file():
        return sha256_file(path)
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{sha256_file(path / name)}\n".encode())
    return digest.hexdigest()
