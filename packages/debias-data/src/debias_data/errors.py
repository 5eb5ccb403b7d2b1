"""What can go wrong in this package, and which exit code a command gives it.

    DebiasDataError                 root; a command exits with 1
    ├── InvalidInputError           a file or a config that cannot be used; exit 3
    │   ├── BadRowError             one row of a file: names file, row and column
    │   └── BadConfigError          the YAML file or a config field
    ├── MissingInputError           a file, a package or a data set is not there; exit 4
    ├── EmptyResultError            nothing, or one side only, would be written; exit 3
    └── OutOfBalanceError           a domain or a source is outside the tolerance; exit 1

A text that must not be swapped is not an error: it is a `Refusal`, counted and listed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path


class DebiasDataError(Exception):
    """Root of every error that this package raises on purpose."""

    exit_code = 1


class InvalidInputError(DebiasDataError):
    """A file or a value that cannot be used as it is."""

    exit_code = 3


class BadRowError(InvalidInputError):
    """One row of one file; the message reads `FILE:ROW:COLUMN: what`."""

    def __init__(
        self, path: Path | str, row: int | None, what: str, *, column: str | None = None
    ) -> None:
        self.path, self.row, self.column, self.what = Path(path), row, column, what
        place = str(path)
        if row is not None:
            place += f":{row}"
        if column is not None:
            place += f":{column}"
        super().__init__(f"{place}: {what}")

    def __reduce__(self) -> tuple[object, ...]:
        # Errors travel between processes, and the default only knows the message.
        return partial(type(self), column=self.column), (self.path, self.row, self.what)


class BadConfigError(InvalidInputError):
    """The configuration is not one that this package can follow."""


class MissingInputError(DebiasDataError):
    """Something that has to be there is not; the message says where to put it."""

    exit_code = 4


class EmptyResultError(InvalidInputError):
    """No pair, or only one side of them, came out: nothing is written."""


class OutOfBalanceError(DebiasDataError):
    """The table is less even than the configured tolerance allows."""
