"""What every problem text must be, whichever file it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, cast

from debias_data.errors import BadRowError
from debias_data.sources.base import MAX_TEXT_CHARS, Skipped

OnBadRow = Literal["error", "skip"]

# Stands for a field that a row does not have: null is another complaint.
MISSING = object()


def check_text(value: object, *, path: Path | str, row: int, column: str) -> str:
    """`value` when it is a text that can be used.

    Raises:
        BadRowError: it is null, no text, blank, holds NUL, or is longer than a million characters.
    """
    what = _complaint(value)
    if what is not None:
        raise BadRowError(path, row, what, column=column)
    assert isinstance(value, str)
    return value


def _complaint(value: object) -> str | None:
    """What is wrong with a text; None when it can be used."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARS:
            return f"longer than {MAX_TEXT_CHARS} characters"
        if not value or value.isspace():
            return "is empty"
        return "holds a NUL character" if "\0" in value else None
    if value is MISSING:
        return "is missing"
    if value is None:
        return "is null"
    return f"expected text, found {type(value).__name__} {value!r:.40}"


def checked_rows(
    rows: Iterator[tuple[int, Sequence[object]]],
    columns: Sequence[str],
    *,
    path: Path | str,
    source: str,
    on_bad_row: OnBadRow,
) -> Iterator[tuple[int, tuple[str, ...]] | Skipped]:
    """The rows whose every value is a usable text; bad ones raise or become `Skipped`.

    Raises:
        BadRowError: a bad value, unless `on_bad_row` is `skip`.
    """
    for number, values in rows:
        complaints = list(map(_complaint, values))
        if not any(complaints):
            yield number, cast("tuple[str, ...]", tuple(values))
            continue
        place = next(place for place, what in enumerate(complaints) if what is not None)
        error = BadRowError(path, number, str(complaints[place]), column=columns[place])
        if on_bad_row == "error":
            raise error
        yield Skipped(f"bad row: {error.what}", f"{path}:{number}:{error.column}", source)
