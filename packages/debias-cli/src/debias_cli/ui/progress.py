"""Bars, the live line and the tables of a run, on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from debias_cli.stages.graph import Stage
from debias_cli.stages.planning import Decision

_PASSED = {"reuse": "finished", "copy": "taken over", "skip": "left out"}


class TerminalReporter:
    """Shows a run on standard error; a terminal gets bars, a file one line a stage."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console, self._verbose = console, verbose
        self._progress: Progress | None = None
        self._stage: TaskID | None = None
        self._part: tuple[str, TaskID] | None = None
        self._note, self._shown = "", 0.0

    @contextmanager
    def live(self) -> Iterator[None]:
        """Shows bars while the block runs, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
        )
        with Progress(*columns, console=self._console, transient=True) as self._progress:
            yield
        self._progress = None

    def section(self, title: str) -> None:
        """Says which run of several begins."""
        self._close()
        self._print(title)

    def plan(self, folder: Path, decisions: list[Decision]) -> None:
        """Says where the run lies and how much of it is to be done."""
        todo = sum(item.action == "run" for item in decisions)
        self._print(f"run folder {folder}: {todo} of {len(decisions)} stages to run")

    def begin(self, decision: Decision, number: int, total: int) -> None:
        """Says that a stage begins, or why it does not."""
        name, head = decision.stage.name, f"[{number}/{total}] {decision.stage.name}"
        reasons = "; ".join(decision.reasons)
        self._close()
        if decision.action == "skip" and not self._verbose:
            return
        if decision.action != "run":
            self._print(f"{head}: {_PASSED[decision.action]} ({reasons})")
            return
        self._print(f"{head}: {reasons}")
        taken = [item.benchmark.name for item in decision.benchmarks if item.source is not None]
        if taken:
            self._print(f"    finished already: {', '.join(taken)}")
        if self._progress is not None:
            self._stage = self._progress.add_task(name, total=None, rate="", note="")

    def progress(self, what: str, done: int, total: int) -> None:
        """Moves the bar of the part that runs."""
        if self._progress is None:
            return
        if self._part is None or self._part[0] != what:
            if self._part is not None:
                self._progress.remove_task(self._part[1])
            task = self._progress.add_task(f"  {what}", total=total, rate="", note="")
            self._part = (what, task)
        task = self._part[1]
        speed = self._progress.tasks[self._progress.task_ids.index(task)].speed
        rate = f"{speed:.1f}/s" if speed else ""
        self._progress.update(task, completed=done, total=total, rate=rate)

    def note(self, text: str) -> None:
        """Shows the last figures beside the stage's bar; without a terminal, now and then."""
        self._note = text
        if self._progress is not None and self._stage is not None:
            self._progress.update(self._stage, note=text)
        elif self._verbose and time.monotonic() - self._shown > 1.0:
            self._shown = time.monotonic()
            self._print(f"    {text}")

    def end(self, stage: Stage, seconds: float) -> None:
        """Leaves a line for the finished stage."""
        note = f": {self._note}" if self._note else ""
        self._close()
        self._print(f"    {stage.name} done in {seconds:.1f} s{note}")

    def _close(self) -> None:
        if self._progress is not None:
            for task in (self._stage, self._part[1] if self._part else None):
                if task is not None:
                    self._progress.remove_task(task)
        self._stage, self._part, self._note = None, None, ""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def error_console() -> Console:
    """A console on standard error."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)
