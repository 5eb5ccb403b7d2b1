"""What a stage is given: its configuration, its folder, and whom it tells how far it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from debias_cli.config.tree import PipelineConfig
from debias_cli.rundir.folder import RunFolder
from debias_cli.stages.graph import Stage
from debias_cli.stages.planning import Decision
from debias_cli.stages.reuse import BenchmarkDecision


class Reporter(Protocol):
    """Whoever shows what a run does; every method may be a no-op."""

    def section(self, title: str) -> None:
        """One of several runs begins: a point of a sweep."""

    def plan(self, folder: Path, decisions: list[Decision]) -> None:
        """Called once, before anything runs."""

    def begin(self, decision: Decision, number: int, total: int) -> None:
        """A stage begins, or is passed over because it is finished."""

    def progress(self, what: str, done: int, total: int) -> None:
        """`done` of `total` steps, items or rows of `what` are through."""

    def note(self, text: str) -> None:
        """The live line of the stage: the last figures in words."""

    def end(self, stage: Stage, seconds: float) -> None:
        """The stage is finished under its final name."""


class SilentReporter:
    """Shows nothing."""

    def section(self, title: str) -> None:
        """Nothing."""

    def plan(self, folder: Path, decisions: list[Decision]) -> None:
        """Nothing."""

    def begin(self, decision: Decision, number: int, total: int) -> None:
        """Nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self, stage: Stage, seconds: float) -> None:
        """Nothing."""


@dataclass(slots=True)
class StopSignal:
    """SIGINT and SIGTERM, turned into a request that training answers after its step.

    Outside of `finishing_steps` a signal interrupts at once: what is left behind can be
    continued. Inside it the first one only sets `requested`; a second one interrupts at once.
    """

    requested: bool = False
    _polite: bool = field(default=False, repr=False)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handles both signals while the block runs; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._handle) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def finishing_steps(self) -> Iterator[None]:
        """Makes the first signal wait for the code in the block to look at `requested`."""
        self._polite = True
        try:
            yield
        finally:
            self._polite = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._polite and not self.requested:
            self.requested = True
            return
        raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class StageContext:
    """Everything that a stage function gets.

    Attributes:
        out: the stage's own folder; what is written there is complete once the stage is.
        benchmarks: of an evaluation: which of them run, and where the others are finished.
        stale: stages that this one needs and that are older than the configuration (`--only`).
    """

    config: PipelineConfig
    folder: RunFolder
    stage: Stage
    out: Path
    reporter: Reporter
    stop: StopSignal
    benchmarks: tuple[BenchmarkDecision, ...] = ()
    stale: frozenset[str] = frozenset()

    def result_of(self, name: str) -> Path:
        """Folder of a finished stage that this one needs."""
        return self.folder.stage(name)
