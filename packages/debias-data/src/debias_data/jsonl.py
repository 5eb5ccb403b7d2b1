r"""A strict reader of JSON Lines on bytes: every complaint names the file and the line.

Stricter than `json.loads` line by line, because what it lets through ends up in training data:
UTF-8 only (a byte order mark is skipped), lines end at `\n` alone, a line is at most 16 MiB,
`NaN`/`Infinity` and duplicate keys are refused, and a line is an object.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import NoReturn, TypeAlias

from debias_data.errors import BadRowError
from debias_data.files import require_file

MAX_LINE_BYTES = 16 << 20
_BOM = b"\xef\xbb\xbf"

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Json]]]:
    """`(line number from 1, object)` for every line that is not blank.

    A file whose name ends in `.gz` is unpacked on the way.

    Raises:
        BadRowError: invalid UTF-8, invalid JSON, a duplicate key, a non-finite number, a line
            that is too long or is not an object.
        MissingInputError: there is no such file.
    """
    with _opened(require_file(path)) as handle:
        number = 0
        while line := _read_line(handle, path, number + 1):
            number += 1
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise BadRowError(path, number, f"line longer than {MAX_LINE_BYTES >> 20} MiB")
            if number == 1 and line.startswith(_BOM):
                line = line[len(_BOM) :]
            if line.strip():
                yield number, parse_line(line, path=path, number=number)


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _read_line(handle: BufferedIOBase, path: Path, number: int) -> bytes:
    try:
        return handle.readline(MAX_LINE_BYTES + 2)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRowError(path, number, f"truncated or damaged gzip: {error}") from error


def parse_line(line: bytes, *, path: Path, number: int) -> dict[str, Json]:
    """One line as an object.

    Raises:
        BadRowError: as in `read_jsonl`.
    """
    try:
        value = json.loads(
            line.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise BadRowError(path, number, f"invalid UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadRowError(path, number, "nested too deeply") from error
    except json.JSONDecodeError as error:
        raise BadRowError(
            path, number, f"invalid JSON: {error.msg} at column {error.colno}"
        ) from error
    except ValueError as error:
        raise BadRowError(path, number, str(error)) from error
    if not isinstance(value, dict):
        raise BadRowError(path, number, f"expected an object, found {type(value).__name__}")
    return value


def _unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"duplicate key {key!r}")
        result[key] = value
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def text_field(row: dict[str, Json], key: str, *, path: Path, number: int) -> str:
    """`row[key]` when it is a string.

    Raises:
        BadRowError: the key is missing, or its value is not a string.
    """
    if key not in row:
        raise BadRowError(
            path, number, f"missing; the row has {', '.join(map(repr, row))}", column=key
        )
    value = row[key]
    if not isinstance(value, str):
        raise BadRowError(path, number, f"expected text, found {type(value).__name__}", column=key)
    return value
