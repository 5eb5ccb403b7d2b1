"""Named columns out of Parquet files, a batch at a time: memory stays flat whatever their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from debias_data.errors import BadRowError, InvalidInputError, MissingInputError

BATCH_ROWS = 1024
BUFFER_BYTES = 1 << 20

Cell = str | int | float | bool | None | list[object] | dict[str, object]


def parquet_files(path: Path) -> list[Path]:
    """`path` itself, or the `*.parquet` files of the folder, sorted by name.

    Raises:
        MissingInputError: there is none.
    """
    if path.is_file():
        return [path]
    files = sorted(path.glob("*.parquet")) if path.is_dir() else []
    if not files:
        raise MissingInputError(f"{path}: no parquet file here; give a file or a folder of them")
    return files


def iter_parquet(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    """`(row number from 1, values of the columns)` for every row of one file.

    Raises:
        InvalidInputError: truncated or not Parquet.
        BadRowError: a column is missing.
    """
    with _opened(path) as file:
        for column in columns:
            if column not in file.schema_arrow.names:
                found = ", ".join(file.schema_arrow.names)
                raise BadRowError(
                    path, None, f"no such column; the file has {found}", column=column
                )
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
                cells = [_cells(batch[name], path, number, name) for name in columns]
                for values in zip(*cells, strict=True):
                    number += 1
                    yield number, values
        except (pa.ArrowException, OSError) as error:
            raise InvalidInputError(f"{path}: damaged after row {number}: {error}") from error


def _cells(column: pa.Array, path: Path, before: int, name: str) -> list[Cell]:
    try:
        cells: list[Cell] = column.to_pylist()
    except UnicodeDecodeError:
        for number, cell in enumerate(column, start=before + 1):
            try:
                cell.as_py()
            except UnicodeDecodeError as error:
                raise BadRowError(
                    path, number, f"invalid UTF-8 at byte {error.start}", column=name
                ) from error
        raise
    return cells


def count_rows(path: Path) -> int:
    """Number of rows, from the file's footer.

    Raises:
        InvalidInputError: truncated or not Parquet.
    """
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path}: truncated, or not a Parquet file: {error}") from error
