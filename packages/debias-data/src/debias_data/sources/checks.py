"""What every problem text must be, whichever file it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

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
    what = None
    if value is MISSING:
        what = "is missing"
    elif value is None:
        what = "is null"
    elif not isinstance(value, str):
        what = f"expected text, found {type(value).__name__} {value!r:.40}"
    elif len(value) > MAX_TEXT_CHARS:
        what = f"longer than {MAX_TEXT_CHARS} characters"
    elif not value.strip():
        what = "is empty"
    elif "\0" in value:
        what = "holds a NUL character"
    if what is not None:
        raise BadRowError(path, row, what, column=column)
    assert isinstance(value, str)
    return value


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
        try:
            texts = tuple(
                check_text(value, path=path, row=number, column=column)
                for value, column in zip(values, columns, strict=True)
            )
        except BadRowError as error:
            if on_bad_row == "error":
                raise
            yield Skipped(f"bad row: {error.what}", f"{path}:{number}:{error.column}", source)
        else:
            yield number, texts
