"""What a command shows while it works: a bar with count, rate and remaining time, on stderr."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ProgressBar:
    """A bar on stderr with count, rate and time; silent when asked or not on a terminal."""

    def __init__(self, what: str, *, quiet: bool, total: int | None = None) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
        )
        self._what, self._total = what, total

    def __enter__(self) -> ProgressBar:
        self._bar.__enter__()
        self._task = self._bar.add_task(self._what, total=self._total, rate="")
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, count: int) -> None:
        """Advance by `count`."""
        speed = self._bar.tasks[self._task].speed
        rate = f"{speed:,.0f}/s" if speed else ""
        self._bar.update(self._task, advance=count, rate=rate)

    def restart(self, what: str) -> None:
        """Begin again from 0 with another description."""
        self._bar.reset(self._task, description=what, total=None)

    def show(self, done: int, total: int | None) -> None:
        """Show `done` of `total`; None where the total is not known."""
        self._bar.update(self._task, completed=done, total=total)
