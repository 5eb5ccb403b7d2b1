"""The judge's handles on zygotes: start one, give it jobs, end it."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from debias_eval.execution.inside.box import remove_tree
from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import MalformedError
from debias_eval.execution.starting import BOOT_SECONDS, start_beside, start_in_container

if TYPE_CHECKING:
    from debias_eval.execution.program import Limits

Level = Literal["hardened", "landlock", "process", "container"]
Role = Literal["worker", "test", "unsplit", "script"]

_JOB_BYTES = 64 << 20
_GRACE_SECONDS = 10.0
# A range that distributions leave to dynamic use; each zygote of root takes the next free one.
_FIRST_UID, _NUM_UIDS = 61_300, 4_000


class ZygoteError(Exception):
    """A zygote could not be started, or went away in the middle of a job."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child of a zygote ended, as the zygote saw it."""

    killed: str | None
    exit: int | None
    signal: int | None
    cpu: float
    wall: float
    output: str
    result: str


class Zygote:
    """A running zygote.

    Args:
        level: its isolation.
        role: which kind of job it will be given; one only, for its whole life.
        libraries: folders of importable modules besides the standard library.
        system: whether `/usr/bin` is shown.
        python: the interpreter to use; at level `container` the command that starts one there.

    Raises:
        ZygoteError: this machine cannot do it; the message says which step failed.
    """

    def __init__(
        self,
        level: Level,
        role: Role,
        *,
        libraries: tuple[str, ...] = (),
        system: bool = False,
        python: str = "",
    ) -> None:
        self.level = level
        uid, gid = _identity()
        self._scratch = None
        if level in ("landlock", "process"):
            self._scratch = tempfile.mkdtemp(prefix="debias-exec-")
            if uid != os.geteuid():
                os.chown(self._scratch, uid, gid)
        try:
            inside = level == "container"
            started = start_in_container(python) if inside else start_beside(python)
        except OSError as error:
            raise ZygoteError(f"no new {role} process at level {level}: {error}") from error
        self._process, self._folder = started.process, started.folder
        self._channel = Channel(started.stream, max_bytes=_JOB_BYTES)
        self._channel.settimeout(BOOT_SECONDS)
        boot = {"level": level, "role": role, "uid": uid, "gid": gid, "scratch": self._scratch}
        try:
            self._channel.send({**boot, "libraries": list(libraries), "system": system})
            reply = self._channel.recv()
        except (ChannelClosedError, MalformedError, TimeoutError) as error:
            self.close()
            raise ZygoteError(f"no answer from a new {role} process at level {level}") from error
        if reply.get("ready") is not True:
            self.close()
            raise ZygoteError(str(reply.get("error")))

    def start(self, job: dict[str, Any], limits: Limits, fds: tuple[int, ...] = ()) -> None:
        """Begin a job; `finish` must follow."""
        caps = asdict(limits) | {"wall": limits.wall_seconds}
        self._channel.settimeout(limits.wall_seconds + _GRACE_SECONDS)
        try:
            self._channel.send({**job, "caps": caps}, fds)
        except (ChannelClosedError, TimeoutError) as error:
            raise ZygoteError("the sandbox's supervisor is gone") from error

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when a job has ended."""
        return self._channel.fileno()

    def stop(self) -> None:
        """Ask for the end of the job in progress; `finish` still follows."""
        with contextlib.suppress(ChannelClosedError, TimeoutError):
            self._channel.send({"stop": True})

    def finish(self) -> Ending:
        """Wait for the end of the job."""
        try:
            return Ending(**self._channel.recv())
        except (ChannelClosedError, MalformedError, TimeoutError) as error:
            raise ZygoteError("the sandbox's supervisor is gone") from error

    def kill(self) -> None:
        """End the zygote and all below it, now; `close` must still follow."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> None:
        """End the zygote and all below it, and remove its scratch folder."""
        self._channel.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for folder in (self._scratch, self._folder):
            if folder is not None:
                remove_tree(folder)


def _users_with_processes() -> set[int]:
    """Return the user ids that own a process now."""
    users = set()
    for entry in os.scandir("/proc"):
        # a process may end between being listed and being looked at
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                users.add(entry.stat().st_uid)
    return users


_next_uid = 0


def _identity() -> tuple[int, int]:
    """Return the user and group to run as: the caller's own, or for root an unused one.

    As root, resource limits by user and file permissions would mean nothing.
    """
    global _next_uid  # noqa: PLW0603 - a counter for the whole process
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    busy = _users_with_processes()
    for _ in range(_NUM_UIDS):
        uid = _FIRST_UID + (os.getpid() * 16 + _next_uid) % _NUM_UIDS
        _next_uid += 1
        if uid in busy:
            continue
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid, uid
    raise ZygoteError("no unused user id found")
