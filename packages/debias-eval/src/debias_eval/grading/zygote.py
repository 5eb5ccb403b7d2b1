"""The process that owns the symbolic workers: ``python -m debias_eval.grading.zygote``.

Three generations, so that no answer can hurt the program that asks:

* the caller (any process, any thread) starts one zygote as a fresh interpreter. It is not forked
  from the caller, whose memory may hold a model and whose threads may hold locks;
* the zygote imports sympy once and forks workers. It never computes anything, so it never hangs,
  and it kills a worker that is out of wall time, unless a busy machine kept it from computing;
* a worker compares pairs, one after another, under limits of CPU time (a timer whose default
  action is to end the process), address space and file size (zero: it cannot write one).

Requests and replies are lines of JSON. When the caller dies, its end of the pipe closes, and the
zygote leaves with all workers.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import BinaryIO, TypedDict

from debias_eval.execution.inside.watch import process_cpu
from debias_eval.grading.limits import LimitExceededError

CPU_SECONDS = 2.0
"""CPU time that one comparison may take."""

WALL_SECONDS = 4.3
"""Wall time of a comparison, waiting for a free worker included, on a machine that has time."""

PATIENCE_SECONDS = 60.0
"""Wall time of a comparison that had less than `STARVED_SECONDS` of CPU time when it was due."""

STARVED_SECONDS = 0.5
"""CPU time that decides most answers: one that had less of it is not judged by the clock."""

_ADDRESS_SPACE = 1 << 30
_RECURSION_LIMIT = 3_000
_READ_BYTES = 1 << 16


class Request(TypedDict):
    """One comparison of two normal forms by the rule of a profile."""

    id: int
    rule: str
    gold: str
    pred: str
    seconds: float


class Reply(TypedDict):
    """Its outcome: ``equal`` is None where no method could say; ``failure`` where it broke."""

    id: int
    equal: bool | None
    failure: str


@dataclass(slots=True)
class _Job:
    request: Request
    due: float  # on the monotonic clock
    patience: float  # when it ends, starved or not
    used_before: float = 0.0  # CPU time that its worker had used when it got the job

    def is_over(self, pid: int | None) -> bool:
        """Whether its time is over; where it was starved, it is given as much again.

        Args:
            pid: The worker that has the job; None while it waits for one.
        """
        now = time.monotonic()
        if now < self.due:
            return False
        used = 0.0 if pid is None else process_cpu(pid) - self.used_before
        if now >= self.patience or used >= STARVED_SECONDS:
            return True
        self.due = min(now + self.request["seconds"], self.patience)
        return False


@dataclass(slots=True)
class _Worker:
    pid: int
    sender: int  # file descriptor to write requests to
    receiver: int  # file descriptor to read replies from
    job: _Job | None = None
    buffer: bytearray = field(default_factory=bytearray)


class Zygote:
    """One loop over the caller's pipe and the workers' pipes."""

    def __init__(self, source: int, sink: int, max_workers: int) -> None:
        self._source = source
        self._sink = sink
        self._max_workers = max_workers
        self._workers: list[_Worker] = []
        self._queue: deque[_Job] = deque()
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(source, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Serve until the caller closes its end."""
        try:
            while self._step():
                pass
        finally:
            for worker in list(self._workers):
                self._end(worker)

    def _step(self) -> bool:
        for key, _ in self._selector.select(self._patience()):
            worker = key.data
            if worker is None:
                if not self._receive():
                    return False
            elif worker in self._workers:
                self._collect(worker)
        self._expire()
        self._dispatch()
        return True

    def _patience(self) -> float | None:
        deadlines = [w.job.due for w in self._workers if w.job is not None]
        deadlines += [job.due for job in self._queue]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _receive(self) -> bool:
        data = os.read(self._source, _READ_BYTES)
        if not data:
            return False
        self._buffer += data
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        now = time.monotonic()
        for line in filter(None, lines):
            request: Request = json.loads(line)
            job = _Job(request, now + request["seconds"], now + PATIENCE_SECONDS)
            self._queue.append(job)
        return True

    def _collect(self, worker: _Worker) -> None:
        try:
            data = os.read(worker.receiver, _READ_BYTES)
        except OSError:
            data = b""
        if not data:  # the worker ended: out of CPU time, or out of memory below Python
            self._fail(worker, "timeout")
            return
        worker.buffer += data
        if worker.buffer.endswith(b"\n"):
            self._send(bytes(worker.buffer))
            worker.buffer.clear()
            worker.job = None

    def _expire(self) -> None:
        for worker in list(self._workers):
            if worker.job is not None and worker.job.is_over(worker.pid):
                self._fail(worker, "timeout")
        for job in [job for job in self._queue if job.is_over(None)]:
            self._queue.remove(job)
            self._send(_failure(job.request["id"], "timeout"))

    def _dispatch(self) -> None:
        while self._queue:
            worker = next((w for w in self._workers if w.job is None), None)
            if worker is None:
                if len(self._workers) >= self._max_workers:
                    return
                worker = self._fork()
            job = self._queue.popleft()
            worker.job, job.used_before = job, process_cpu(worker.pid)
            try:
                os.write(worker.sender, json.dumps(job.request).encode() + b"\n")
            except BrokenPipeError:  # it ended between two jobs: this job goes to another one
                self._end(worker)
                self._queue.appendleft(job)

    def _fail(self, worker: _Worker, reason: str) -> None:
        if worker.job is not None:
            self._send(_failure(worker.job.request["id"], reason))
        self._end(worker)

    def _end(self, worker: _Worker) -> None:
        self._selector.unregister(worker.receiver)
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
        os.close(worker.sender)
        os.close(worker.receiver)
        self._workers.remove(worker)

    def _fork(self) -> _Worker:
        request_read, request_write = os.pipe()
        reply_read, reply_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            keep = {request_read, reply_write, 2}
            os.close(request_write)
            os.close(reply_read)
            self._leave(keep)
            serve(request_read, reply_write)
            os._exit(0)
        os.close(request_read)
        os.close(reply_write)
        worker = _Worker(pid, request_write, reply_read)
        self._workers.append(worker)
        self._selector.register(reply_read, selectors.EVENT_READ, worker)
        return worker

    def _leave(self, keep: set[int]) -> None:
        """In the child: drop the caller's pipe and the other workers' pipes."""
        self._selector.close()
        for descriptor in [
            self._source,
            self._sink,
            *(d for w in self._workers for d in (w.sender, w.receiver)),
        ]:
            if descriptor not in keep:
                os.close(descriptor)

    def _send(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[os.write(self._sink, view) :]


def _failure(identity: int, reason: str) -> bytes:
    reply = Reply(id=identity, equal=None, failure=reason)
    return json.dumps(reply).encode() + b"\n"


def serve(source: int, sink: int) -> None:
    """A worker's life: read a request, compare, reply, until the pipe closes."""
    _limit()
    with os.fdopen(source, "rb") as requests, os.fdopen(sink, "wb") as replies:
        for line in requests:
            _answer(json.loads(line), replies)


def _answer(request: Request, replies: BinaryIO) -> None:
    from debias_eval.grading.symbolic import compare_texts  # noqa: PLC0415 - sympy: workers only

    equal, failure = None, ""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        equal = compare_texts(request["rule"], request["gold"], request["pred"])
    except (LimitExceededError, MemoryError, RecursionError, OverflowError) as error:
        failure = f"limit: {type(error).__name__}"
    except Exception as error:  # noqa: BLE001 - sympy raises anything; the answer is unreadable, not the machine
        failure = f"unreadable: {type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    replies.write(
        json.dumps(Reply(id=request["id"], equal=equal, failure=failure)).encode() + b"\n"
    )
    replies.flush()


def _limit() -> None:
    """Limits of a worker, beyond the CPU timer that each comparison sets for itself."""
    for kind, value in (
        (resource.RLIMIT_AS, _ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))
    sys.setrecursionlimit(_RECURSION_LIMIT)


def main() -> None:
    """Import what workers need, say so, and serve."""
    from debias_eval.grading import symbolic  # noqa: PLC0415 - sympy: workers only

    symbolic.compare_texts(
        "default", "\\sqrt{8}", "2\\sqrt{2}"
    )  # builds the parser's tables once, before forks
    symbolic.same_by_math_verify("\\frac{1}{2}", "\\frac{2}{4}")
    os.write(1, b"ready\n")
    Zygote(0, 1, int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
