"""Reading the files of the bias suites, with messages that name them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from debias_eval.errors import InputError, MissingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_text", "read_tsv"]


def read_text(path: Path, task: str) -> str:
    r"""Return a UTF-8 file without its byte order mark, lines ended by ``\n``.

    Raises:
        MissingError: There is no such file.
        InputError: It is not UTF-8.
    """
    if not path.is_file():
        raise MissingError(f"{task}: needs {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}") from error
    return text.replace("\r\n", "\n")


def read_tsv(path: Path, task: str, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Return ``(line, row)`` of a tab-separated file with a header that holds ``columns``.

    Raises:
        MissingError: There is no such file.
        InputError: It is not UTF-8, lacks a column, or holds no rows.
    """
    text = read_text(path, task)
    reader = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise InputError(f"{path}:1: no column {column!r}")
    rows = []
    for row in reader:
        if any(row[column] is None for column in columns):
            raise InputError(f"{path}:{reader.line_num}: fewer columns than the header")
        rows.append((reader.line_num, row))
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return rows
