"""The judge's handles on zygotes: start one, give it jobs, end it."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from debias_eval.execution.inside.box import remove_tree
from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import MalformedError

if TYPE_CHECKING:
    from debias_eval.execution.program import Limits

Level = Literal["hardened", "landlock", "process"]
Role = Literal["worker", "test", "unsplit", "script"]

_SCRIPT = Path(__file__).parent / "inside" / "zygote.py"
_JOB_BYTES = 64 << 20
_BOOT_SECONDS = 30.0
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
        python: the interpreter to use.

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
        if level != "hardened":
            self._scratch = tempfile.mkdtemp(prefix="debias-exec-")
            if uid != os.geteuid():
                os.chown(self._scratch, uid, gid)
        ours, theirs = socket.socketpair()
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
        env["PYTHONHASHSEED"] = "0"  # the order of sets is the same in every run
        if "LD_LIBRARY_PATH" in os.environ:  # the interpreter may not start without
            env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        command = [python or sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8"]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(_SCRIPT), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel = Channel(ours, max_bytes=_JOB_BYTES)
        self._channel.settimeout(_BOOT_SECONDS)
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
        if self._scratch is not None:
            remove_tree(self._scratch)


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
