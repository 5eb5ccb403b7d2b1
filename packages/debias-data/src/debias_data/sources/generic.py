"""Problems in files of the user's own: JSON Lines, CSV or Parquet, columns named by the config."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from debias_data.config import ColumnSource, CsvSource, JsonlSource, ParquetSource
from debias_data.errors import BadRowError, InvalidInputError
from debias_data.files import require_file
from debias_data.jsonl import MAX_LINE_BYTES, read_jsonl
from debias_data.sources.base import Item, Problem, Skipped, register
from debias_data.sources.checks import MISSING, checked_rows
from debias_data.sources.columns import iter_parquet, parquet_files

Rows = Iterator[tuple[int, Sequence[object]]]


@register("jsonl")
def read_jsonl_source(config: JsonlSource) -> Iterator[Item]:
    """The problems of one JSON Lines file."""
    columns = _columns(config)
    rows: Rows = (
        (number, [row.get(column, MISSING) for column in columns])
        for number, row in read_jsonl(config.path)
    )
    return islice(_items(config, "jsonl", config.path, rows), config.limit)


@register("csv")
def read_csv_source(config: CsvSource) -> Iterator[Item]:
    """The problems of one CSV file with a header."""
    rows = _csv_rows(config)
    return islice(_items(config, "csv", config.path, rows), config.limit)


@register("parquet")
def read_parquet_source(config: ParquetSource) -> Iterator[Item]:
    """The problems of a Parquet file or a folder of them."""
    columns = _columns(config)
    items = (
        item
        for path in parquet_files(config.path)
        for item in _items(config, "parquet", path, iter_parquet(path, columns))
    )
    return islice(items, config.limit)


def _columns(config: ColumnSource) -> list[str]:
    named = (config.prompt, config.reference, config.cluster)
    return [name for name in named if name is not None]


def _items(config: ColumnSource, kind: str, path: Path, rows: Rows) -> Iterator[Item]:
    source = config.name or kind
    columns = _columns(config)
    checked = checked_rows(rows, columns, path=path, source=source, on_bad_row=config.on_bad_row)
    for row in checked:
        if isinstance(row, Skipped):
            yield row
            continue
        number, texts = row
        values = dict(zip(columns, texts, strict=True))
        cluster = values[config.cluster] if config.cluster is not None else None
        yield Problem(
            values[config.prompt],
            values[config.reference] if config.reference is not None else None,
            source,
            config.domain,
            place=f"{path}:{number}",
            operation=config.operation,
            cluster=cluster,
        )


def _csv_rows(config: CsvSource) -> Rows:
    csv.field_size_limit(MAX_LINE_BYTES)
    columns = _columns(config)
    path = require_file(config.path)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, delimiter=config.delimiter, strict=True)
        try:
            header = reader.fieldnames or []
            if not header:
                raise BadRowError(path, 1, "the file is empty; a header is wanted")
            for column in columns:
                if column not in header:
                    raise BadRowError(
                        path, 1, f"no such column; the file has {', '.join(header)}", column=column
                    )
            for row in reader:
                if None in row:
                    raise BadRowError(path, reader.line_num, "has more fields than the header")
                yield reader.line_num, [row[column] for column in columns]
        except csv.Error as error:
            raise BadRowError(path, reader.line_num, f"invalid CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise _undecodable(config, path) from error


def _undecodable(config: CsvSource, path: Path) -> InvalidInputError:
    """The error for the first field of the file that is not UTF-8.

    The decoder knows its place in a block of bytes only, so the file is read once more, with the
    bytes that are no text kept apart.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
        reader = csv.reader(handle, delimiter=config.delimiter)
        header: list[str] = []
        for row in reader:
            for place, field in enumerate(row):
                try:
                    field.encode("utf-8", "surrogateescape").decode("utf-8")
                except UnicodeDecodeError as error:
                    column = header[place] if place < len(header) else f"field {place + 1}"
                    what = f"invalid UTF-8 at byte {error.start} of the field"
                    return BadRowError(path, reader.line_num, what, column=column)
            header = header or row
    return InvalidInputError(f"{path}: invalid UTF-8")
