"""One process at a time in a run folder.

A POSIX record lock: it ends with its process however that dies, it is not inherited by the
children that run generated code, and it works on network file systems.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from debias_cli.errors import LockedError

LOCK_NAME = ".lock"
_held: set[Path] = set()  # record locks do not keep a process from itself


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Holds the folder's lock while the block runs.

    Raises:
        LockedError: at once when another process holds it; names its pid and host.
    """
    path = (folder / LOCK_NAME).resolve()
    if path in _held:
        raise LockedError(_refusal(folder, {"pid": os.getpid(), "host": socket.gethostname()}))
    # opened once and closed last: closing any descriptor of the file gives a record lock up
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(_refusal(folder, _read_owner(descriptor))) from None
        _write_owner(descriptor)
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)
            with suppress(OSError):  # a name that nobody reads once the lock is given up
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """`lock_folder` of a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder):
        yield


def _write_owner(descriptor: int) -> None:
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv)[:500],
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _read_owner(descriptor: int) -> dict[str, object]:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _refusal(folder: Path, owner: dict[str, object]) -> str:
    since = f" since {owner['since']}" if "since" in owner else ""
    pid, host = owner.get("pid", "unknown"), owner.get("host", "unknown")
    return (
        f"{folder}: process {pid} on host {host} works in this run folder{since}; "
        "wait for it, or stop it and run again"
    )
