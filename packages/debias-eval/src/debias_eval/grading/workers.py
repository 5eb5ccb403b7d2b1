"""The caller's end of the symbolic workers: one zygote a process, started when first needed.

Safe from the main thread, from any thread and in forked or spawned children: no signals are used,
replies are matched by id, and a fork forgets its parent's zygote and starts its own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from debias_eval.errors import DebiasEvalError
from debias_eval.grading.zygote import PATIENCE_SECONDS, WALL_SECONDS, Reply, Request

_START_SECONDS = 60.0
_SPARE_WORKERS = 2  # so that an honest answer need not wait for two hostile ones
_LEAST_SECONDS = 2.0  # as the limit of CPU time: a slow start must not judge an honest answer
_GRACE_SECONDS = 1.0
_EXIT_SECONDS = 2.0


class WorkerStartError(DebiasEvalError):
    """The symbolic workers could not be started: the machine's fault, not an answer's."""


class SymbolicService:
    """A running zygote and the questions that it has not answered yet."""

    def __init__(self, num_workers: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "debias_eval.grading.zygote", str(num_workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # raw pipes: another thread may hold a buffer's lock when we are forked
            env=_environment(),
            start_new_session=True,  # Ctrl-C ends the caller, and the closed pipe ends this
        )
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Reply]] = {}
        self._next_id = 0
        self._ready = threading.Event()
        self._started = False
        self.broken = False
        threading.Thread(target=self._read, name="grading-replies", daemon=True).start()

    def ask(self, texts: tuple[str, str, str], *, seconds: float) -> Future[Reply]:
        """A future reply to (rule, gold, prediction), due in `seconds`; later where it was starved.

        Where the zygote has ended, whether or not that was noticed before, the reply is ``broken``.
        """
        rule, gold, pred = texts
        future: Future[Reply] = Future()
        with self._lock:
            identity = self._next_id
            self._next_id += 1
            if not self.broken:
                self._waiting[identity] = future
                request = Request(id=identity, rule=rule, gold=gold, pred=pred, seconds=seconds)
                try:
                    self._write(json.dumps(request).encode() + b"\n")
                except OSError:
                    self.broken = True
                    del self._waiting[identity]
            if self.broken:
                future.set_result(Reply(id=identity, equal=None, failure="broken"))
        return future

    def wait_ready(self) -> None:
        """Return once the zygote has imported what it needs.

        Raises:
            WorkerStartError: It did not come up within a minute.
        """
        if not self._ready.wait(_START_SECONDS) or not self._started:
            message = (
                "the symbolic workers did not start; is math-verify installed in this environment?"
            )
            raise WorkerStartError(
                f"{message} ({sys.executable} -m debias_eval.grading.zygote 1 shows why)"
            )

    def close(self) -> None:
        """End the zygote and, with it, all workers."""
        self._close_pipe(self._process.stdin)
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """After a fork, in the child: close the copies of the parent's pipes, no more."""
        self._close_pipe(self._process.stdin)
        self._close_pipe(self._process.stdout)
        self._process.returncode = 0  # not this process's child: nothing to wait for

    @staticmethod
    def _close_pipe(pipe: IO[bytes] | None) -> None:
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(line)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while data := self._process.stdout.read(1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._deliver(line)
        with self._lock:
            self.broken = True
            orphans, self._waiting = self._waiting, {}
        self._ready.set()
        for identity, future in orphans.items():
            future.set_result(Reply(id=identity, equal=None, failure="broken"))

    def _deliver(self, line: bytes) -> None:
        if line == b"ready":
            self._started = True
            self._ready.set()
            return
        reply: Reply = json.loads(line)
        with self._lock:
            future = self._waiting.pop(reply["id"], None)
        if future is not None:
            future.set_result(reply)


_state_lock = threading.Lock()
_service: SymbolicService | None = None


def service() -> SymbolicService:
    """This process's service; started on first use, and again if it ended."""
    global _service  # noqa: PLW0603 - one zygote a process is the point
    with _state_lock:
        if _service is None or _service.broken:
            _service = SymbolicService((os.cpu_count() or 2) + _SPARE_WORKERS)
        return _service


def warm_up() -> None:
    """Start the symbolic workers now and wait for them, so that no answer pays for it (2 s)."""
    service().wait_ready()


class Comparison:
    """One comparison under way in a worker."""

    def __init__(self, rule: str, gold: str, pred: str) -> None:
        self._request = (rule, gold, pred)
        self._future = _ask(self._request)

    def result(self) -> Reply:
        """Wait for the reply; a zygote that somebody killed is replaced once.

        Returns:
            The reply; ``failure`` is ``"timeout"`` where comparing took too long.

        Raises:
            WorkerStartError: The workers cannot be started.
        """
        reply = _wait(self._future)
        return _wait(_ask(self._request)) if reply["failure"] == "broken" else reply


def _ask(texts: tuple[str, str, str]) -> Future[Reply]:
    """Start a comparison; what the first one waits for the zygote is taken off its time."""
    called = time.monotonic()
    running = service()
    running.wait_ready()
    seconds = WALL_SECONDS - (time.monotonic() - called)
    return running.ask(texts, seconds=max(_LEAST_SECONDS, seconds))


def _wait(future: Future[Reply]) -> Reply:
    try:
        return future.result(PATIENCE_SECONDS + _GRACE_SECONDS)
    except TimeoutError:
        return Reply(id=-1, equal=None, failure="timeout")


def _environment() -> dict[str, str]:
    """The caller's environment, with this package importable and one thread a library."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = root if not inherited else os.pathsep.join([root, inherited])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def _close() -> None:
    if _service is not None:
        _service.close()


def _after_fork() -> None:
    global _service, _state_lock  # noqa: PLW0603 - a fork inherits a lock that nobody will release
    inherited, _service = _service, None
    _state_lock = threading.Lock()
    if inherited is not None:
        inherited.forget()


atexit.register(_close)
os.register_at_fork(after_in_child=_after_fork)
