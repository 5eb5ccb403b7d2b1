"""How a run tells what it is doing, without deciding who shows it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called when a stage moves on; ``done == total`` ends it."""

    def __call__(self, benchmark: str, stage: str, done: int, total: int) -> None:
        """Take note of ``done`` out of ``total`` rows."""
        ...


def silent(benchmark: str, stage: str, done: int, total: int) -> None:
    """Say nothing."""
