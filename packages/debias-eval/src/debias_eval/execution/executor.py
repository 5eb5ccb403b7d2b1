"""Many programs at once, each through a slot; and a second look where the clock ran out."""

from __future__ import annotations

import os
import queue
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Self

from debias_eval.execution.inside import kernel
from debias_eval.execution.levels import choose_level
from debias_eval.execution.program import Limits, Outcome, Program, Status
from debias_eval.execution.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType


class Executor:
    """Runs untrusted solutions against trusted tests: see the package docstring.

    Args:
        level: `hardened`, `landlock`, `process`, `container`, or `auto` for the strongest of the
            first three that works here.
        allow_unsandboxed: permit `process`, which protects nothing.
        workers: programs at a time; None for one a usable core.
        python: the interpreter of the sandbox; empty for the running one. At level `container`
            the command that starts one there: see `starting.start_in_container`.

    Raises:
        SandboxUnavailableError: nothing that may be used works here.

    The object may be used from any thread, in a process that has threads and accelerators: it
    never forks the calling process.
    """

    def __init__(
        self,
        level: str = "auto",
        *,
        allow_unsandboxed: bool = False,
        workers: int | None = None,
        python: str = "",
    ) -> None:
        self.level = choose_level(level, allow_unsandboxed=allow_unsandboxed, python=python)
        self.python = python
        self._num_workers = workers or len(os.sched_getaffinity(0))
        self._slots: queue.LifoQueue[Slot] = queue.LifoQueue()
        self._all_slots = [Slot(self.level, python) for _ in range(self._num_workers)]
        for slot in self._all_slots:
            self._slots.put(slot)
        self._threads = ThreadPoolExecutor(self._num_workers, "debias-execution")
        # At the other levels no program can open the memory of another process.
        self._hidden = self.level == "process" and os.geteuid() != 0
        if self._hidden:
            kernel.set_dumpable(on=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process that was started; programs that are still running are killed."""
        if self._slots.qsize() < self._num_workers:
            for slot in self._all_slots:
                slot.abort()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for slot in self._all_slots:
            slot.close()
        if self._hidden:
            kernel.set_dumpable(on=True)

    def run(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        """Yield the outcome of each program as it ends, in any order.

        A program that ran out of wall time but not of CPU time may have been starved by others:
        it is run once more, alone, after all the others. Two different verdicts are `flaky`; to
        be out of CPU time the second time is no contradiction.
        """
        source = iter(programs)
        running: dict[Future[Outcome], Program] = {}
        again: list[tuple[Program, Outcome]] = []
        try:
            while True:
                for program in islice(source, 2 * self._num_workers - len(running)):
                    running[self._threads.submit(self._run_one, program)] = program
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    program, outcome = running.pop(future), future.result()
                    if outcome.status is Status.TIMEOUT_WALL:
                        again.append((program, outcome))
                    else:
                        yield outcome
            for program, outcome in again:
                yield self._second_look(program, outcome)
        finally:
            for future in running:
                future.cancel()

    def _run_one(self, program: Program) -> Outcome:
        slot = self._slots.get()
        try:
            return slot.run(program)
        finally:
            self._slots.put(slot)

    def _second_look(self, program: Program, first: Outcome) -> Outcome:
        limits = program.limits or Limits()
        one_process = program.style != "stdin" and not program.fresh  # else the sum says little
        if one_process and first.cpu_seconds > limits.cpu:
            return first
        second = self._run_one(program)
        if second.status in (first.status, Status.TIMEOUT_CPU):  # out of time, both times
            return second
        detail = f"first {first.status}, then {second.status} when run alone: {second.detail}"
        return replace(second, status=Status.FLAKY, detail=detail)
