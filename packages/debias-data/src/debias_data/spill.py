"""Rows that do not fit into memory: kept in a temporary file until it is known which are taken.

The files have no name, so that nothing is left of them however the process ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from debias_data.arrays import int64s
from debias_data.errors import DebiasDataError
from debias_data.files import CHUNK_BYTES
from debias_data.table import SCHEMA, PairWriter, write_with_card

if TYPE_CHECKING:
    from debias_data.jsonl import Json

_ROWS = 2  # of a pair


def _nameless(folder: Path | None) -> IO[bytes]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _drop(file: IO[bytes]) -> None:
    with suppress(OSError):  # what is still to be written is not wanted
        file.close()


@contextmanager
def _writing(folder: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = folder or Path(tempfile.gettempdir())
        raise DebiasDataError(
            f"{place}: the pairs made so far cannot be kept there: {error.strerror or error}; a "
            "build needs room for its table twice"
        ) from error


class Draft:
    """The table itself, for rows that are all taken, in the order in which they were added."""

    def __init__(self, folder: Path | None = None) -> None:
        """Start a file in `folder`; None takes the system's folder for temporary files."""
        self._folder = folder
        self._file = _nameless(folder)
        self._writer = PairWriter(self._file)

    def close(self) -> None:
        """Give the space back."""
        self._writer.give_up()
        _drop(self._file)

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the pairs of a batch, two rows each.

        Raises:
            DebiasDataError: the disk is full.
        """
        with _writing(self._folder):
            self._writer.add(rows)

    def write(self, path: Path, card: dict[str, Json], *, num_rows: int) -> dict[str, Json]:
        """`write_pairs` for the rows that were added; nothing can be added afterwards."""
        with _writing(self._folder):
            self._writer.close()
        return write_with_card(path, self._copy, card, num_rows=num_rows)

    def _copy(self, path: Path) -> None:
        self._file.seek(0)
        with path.open("wb") as target:
            shutil.copyfileobj(self._file, target, CHUNK_BYTES)


class Spill:
    """Pairs of which some are taken, in any order; their place is a number from 0."""

    def __init__(self, folder: Path | None = None) -> None:
        """Start a file in `folder`; None takes the system's folder for temporary files."""
        self._folder = folder
        self._file = _nameless(folder)
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        self._writer = pa.ipc.new_file(self._file, SCHEMA, options=options)
        self._batches: list[range] = []  # the places in each batch
        self._is_written = False

    def close(self) -> None:
        """Give the space back."""
        _drop(self._file)

    def __len__(self) -> int:
        """Number of pairs."""
        return self._batches[-1].stop if self._batches else 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the pairs of a batch, two rows each.

        Raises:
            DebiasDataError: the disk is full.
        """
        if rows.num_rows:
            with _writing(self._folder):
                self._writer.write_batch(rows)
            self._batches.append(range(len(self), len(self) + rows.num_rows // _ROWS))

    def read(self, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The rows of the pairs at `places`, in that order, one batch a run of neighbours.

        Nothing can be added afterwards.
        """
        if not self._is_written:
            with _writing(self._folder):
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
