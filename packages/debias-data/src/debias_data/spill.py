"""Rows that do not fit into memory: kept in a temporary file, read back a batch at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from debias_data.arrays import int64s
from debias_data.table import SCHEMA

_ROWS = 2  # of a pair


class Spill:
    """Pairs in the order in which they were added; their place is a number from 0.

    The file has no name, so that nothing is left of it however the process ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Start a file in `folder`; None takes the system's folder for temporary files."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_file(self._file, SCHEMA, options=options)
        self._batches: list[range] = []  # the places in each batch
        self._is_written = False

    def close(self) -> None:
        """Give the space back."""
        self._file.close()

    def __len__(self) -> int:
        """Number of pairs."""
        return self._batches[-1].stop if self._batches else 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the pairs of a batch, two rows each."""
        if rows.num_rows:
            self._writer.write_batch(rows)
            self._batches.append(range(len(self), len(self) + rows.num_rows // _ROWS))

    def read(self, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The rows of the pairs at `places`, in that order, one batch a run of neighbours.

        Nothing can be added afterwards.
        """
        if not self._is_written:
            self._writer.close()
            self._is_written = True
        reader = pa.ipc.open_file(self._file)
        current, batch = -1, None
        start = 0
        while start < len(places):
            number = self._batch_of(places[start], near=current)
            if number != current:
                current, batch = number, reader.get_batch(number)
            assert batch is not None
            held = self._batches[number]
            stop = start
            while stop < len(places) and places[stop] in held:
                stop += 1
            rows = [
                _ROWS * (place - held.start) + row
                for place in places[start:stop]
                for row in range(_ROWS)
            ]
            yield (
                batch if len(rows) == batch.num_rows and rows[0] == 0 else batch.take(int64s(rows))
            )
            start = stop

    def _batch_of(self, place: int, *, near: int) -> int:
        for number in (near, near + 1):
            if 0 <= number < len(self._batches) and place in self._batches[number]:
                return number
        low, high = 0, len(self._batches) - 1
        while low < high:
            middle = (low + high) // 2
            if place < self._batches[middle].stop:
                high = middle
            else:
                low = middle + 1
        return low
