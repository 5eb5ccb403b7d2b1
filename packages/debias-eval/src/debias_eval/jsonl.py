r"""JSONL read strictly and written whole, or appended to with a key.

The reader works on bytes: UTF-8 (a byte order mark is skipped), lines split on ``\n`` only,
at most 16 MiB a line, no NaN or Infinity, no duplicate keys, no bare values. Every error reads
``file:line: what``. Two published files need more, and say so: longer lines (LiveCodeBench), and
infinities (MBPP+).
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from typing import TYPE_CHECKING, BinaryIO, NoReturn, Self, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ValidationError

from debias_eval.errors import InputError, MissingError
from debias_eval.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["AppendLog", "Row", "dump_row", "read_models", "read_rows", "read_torn", "write_rows"]

Row: TypeAlias = dict[str, object]

_MAX_LINE = 16 * 1024 * 1024
_MAX_TOTAL = 4 * 1024 * 1024 * 1024  # of a decompressed file: a gzip bomb ends here
_BOM = b"\xef\xbb\xbf"
_Model = TypeVar("_Model", bound=BaseModel)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> Row:
    row: Row = {}
    for key, value in pairs:
        if key in row:
            raise ValueError(f"duplicate key {key!r}")
        row[key] = value
    return row


def _parse(raw: bytes, where: str, *, constants: bool = False) -> Row:
    refuse = None if constants else _refuse_constant
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=refuse, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 at byte {error.start} of the line") from error
    except RecursionError as error:
        raise InputError(f"{where}: nested too deeply") from error
    except ValueError as error:  # json.JSONDecodeError is one
        raise InputError(f"{where}: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object, found {type(value).__name__}")
    return cast("Row", value)


def _open(path: Path) -> BinaryIO:
    if not path.is_file():
        raise MissingError(f"{path}: no such file")
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _lines(path: Path, max_line: int) -> Iterator[tuple[int, bytes]]:
    """Yield ``(number, line without its newline)``; numbers start at 1."""
    total = 0
    with _open(path) as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(max_line + 1)
            except (OSError, EOFError, zlib.error) as error:
                raise InputError(f"{path}:{number}: cannot be read: {error}") from error
            if not line:
                return
            total += len(line)
            if len(line) > max_line:
                raise InputError(f"{path}:{number}: a line of more than {max_line >> 20} MiB")
            if total > _MAX_TOTAL:
                raise InputError(f"{path}:{number}: more than 4 GiB of text")
            yield number, line.removeprefix(_BOM) if number == 1 else line


def read_rows(
    path: Path, *, max_line: int = _MAX_LINE, constants: bool = False
) -> Iterator[tuple[int, Row]]:
    """Yield ``(line number, object)`` of every line that is not blank.

    Args:
        path: The file; ``.gz`` is read through.
        max_line: Bytes of the longest line.
        constants: Whether NaN and infinities may stand in it.

    Raises:
        InputError: ``file:line: what`` is wrong.
        MissingError: There is no such file.
    """
    for number, line in _lines(path, max_line):
        if line.strip():
            yield number, _parse(line, f"{path}:{number}", constants=constants)


def read_models(
    path: Path, model: type[_Model], *, max_line: int = _MAX_LINE, constants: bool = False
) -> list[_Model]:
    """Return the rows of ``path`` checked against a pydantic model.

    Args:
        path: The file.
        model: What a row has to be.
        max_line: See ``read_rows``.
        constants: See ``read_rows``.

    Raises:
        InputError: ``file:line:field: what`` for the first row that does not fit, or no row.
    """
    rows: list[_Model] = []
    for number, row in read_rows(path, max_line=max_line, constants=constants):
        try:
            rows.append(model.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{path}:{number}:{field}: {first['msg']}") from error
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return rows


def read_torn(path: Path) -> list[Row]:
    """Return the rows of an append-only log, without a last line that a kill cut short.

    Only the last line may be torn: damage anywhere else is an error.
    """
    if not path.is_file():
        return []
    raw = path.read_bytes()
    whole, newline, _torn = raw.rpartition(b"\n")
    if not newline:
        return []
    return [
        _parse(line, f"{path}:{number}")
        for number, line in enumerate(whole.split(b"\n"), start=1)
        if line.strip()
    ]


def dump_row(row: Mapping[str, object]) -> bytes:
    """Return one line of JSONL, newline included; NaN and infinities are a ``ValueError``."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write ``rows`` as JSONL, complete or not at all."""
    write_bytes(path, b"".join(dump_row(row) for row in rows))


class AppendLog:
    """An append-only JSONL file: what is in it survives a kill, but for one torn last line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = read_torn(path)
        # The torn line goes now: appending behind it would spoil the next row too.
        write_rows(path, kept)
        self._file = path.open("ab")

    def append(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows and hand them to the disk."""
        self._file.write(b"".join(dump_row(row) for row in rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
