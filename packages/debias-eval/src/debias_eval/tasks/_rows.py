"""Checks that more than one loader makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debias_eval.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from debias_eval.tasks.base import Item

__all__ = ["unique_ids"]


def unique_ids(path: Path, items: Sequence[Item]) -> None:
    """Refuse a file in which an id occurs twice: its verdicts could not be told apart."""
    seen: dict[str, int] = {}
    for number, item in enumerate(items, start=1):
        if item.id in seen:
            raise InputError(
                f"{path}: row {number}: id {item.id!r} was used by row {seen[item.id]} already"
            )
        seen[item.id] = number
