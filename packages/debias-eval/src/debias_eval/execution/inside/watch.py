"""The zygote's eye on one child: when to kill it and why, and what it printed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_eval.execution.inside.box import Box, Caps

_TREE_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CHUNK = 1 << 18


class Tail:
    """The head and the tail of what comes out of a pipe; the middle is dropped."""

    def __init__(self, fd: int, keep: int) -> None:
        os.set_blocking(fd, False)
        with contextlib.suppress(OSError):  # a larger pipe: a flood costs fewer switches
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _CHUNK)
        self.fd = fd
        self._keep = keep
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self.size = 0

    def read(self) -> bool:
        """Read what is there; return False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        self._add(data)
        return bool(data)

    def _add(self, data: bytes) -> None:
        self.size += len(data)
        room = max(0, self._keep - len(self._head))
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - self._keep
        if excess > _CHUNK:
            del self._tail[:excess]
            self._dropped += excess

    def drain(self) -> None:
        """Read what the dead child left in the pipe, and no more."""
        for _ in range(64):
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            self._add(data)

    def text(self) -> str:
        """Return what was kept; bytes that are not UTF-8 are escaped."""
        excess = max(0, len(self._tail) - self._keep)
        dropped = self._dropped + excess
        note = f"\n[... {dropped} bytes dropped ...]\n".encode() if dropped else b""
        return bytes(self._head + note + self._tail[excess:]).decode("utf-8", "backslashreplace")


class Watch:
    """Kills a child that exceeds what the kernel does not bound for the whole namespace.

    `reason` is None until then: `cpu`, `wall`, `memory`, `scratch`, `stopped` or `closed`.
    """

    def __init__(self, pid: int, pidfd: int, caps: Caps, box: Box) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.reason: str | None = None
        self.cpu = 0.0
        self._caps = caps
        self._box = box
        self._started = time.monotonic()
        self._next_look = self._started + _TREE_SECONDS

    def check(self) -> None:
        """Kill the child if it is over a limit."""
        if self.reason is not None:
            return
        now = time.monotonic()
        self.cpu = max(self.cpu, process_cpu(self.pid))
        if now >= self._next_look:
            self._next_look = now + _TREE_SECONDS
            self._look_at_all()
        if self.reason is None and self.cpu > self._caps.cpu:
            self.kill("cpu")
        elif self.reason is None and now - self._started > self._caps.wall:
            self.kill("wall")

    def kill(self, reason: str) -> None:
        """End the child; in a namespace, everything in it."""
        self.reason = reason
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def _look_at_all(self) -> None:
        if self._box.proc_fd is not None:
            cpu, memory = _namespace_usage(self._box.proc_fd)
            self.cpu = max(self.cpu, cpu)
            if memory > self._caps.memory * 5 // 4:
                self.kill("memory")
        elif self._box.scratch_used() > self._caps.scratch:
            self.kill("scratch")


def process_cpu(pid: int) -> float:
    """Return the CPU seconds of all threads of a process (clock ids: CPUCLOCK_SCHED of `pid`)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has just ended
        return 0.0


def _namespace_usage(proc_fd: int) -> tuple[float, int]:
    """Return the CPU seconds and the resident bytes of all processes but the zygote (pid 1)."""
    cpu, resident = 0.0, 0
    for name in os.listdir(proc_fd):
        if not name.isdigit() or name == "1":
            continue
        try:
            fields = _read(proc_fd, f"{name}/stat").rpartition(")")[2].split()
            private = _read(proc_fd, f"{name}/statm").split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # utime, stime, and those of the children that were waited for
        cpu += sum(int(field) for field in fields[11:15]) / _TICKS
        resident += (int(private[1]) - int(private[2])) * _PAGE
    return cpu, resident


def _read(proc_fd: int, name: str) -> str:
    fd = os.open(name, os.O_RDONLY, dir_fd=proc_fd)
    try:
        return os.read(fd, 4096).decode("ascii", "replace")
    finally:
        os.close(fd)
