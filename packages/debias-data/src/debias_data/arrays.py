"""Arrow arrays out of plain values, by their buffers.

`pyarrow.array`, and `take` with a list, import pandas to ask what they were given: a third of a
second in every process.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa


def texts(values: Sequence[str | None]) -> pa.StringArray:
    """A column of texts and nulls."""
    present = None
    if None in values:
        bits = np.packbits([value is not None for value in values], bitorder="little")
        present = pa.py_buffer(bits)
    written = [value or "" for value in values]
    joined = "".join(written)
    data = joined.encode("utf-8")
    is_ascii = len(data) == len(joined)
    sizes = map(len, written if is_ascii else [value.encode("utf-8") for value in written])
    ends = array("i", accumulate(sizes, initial=0))
    return pa.Array.from_buffers(
        pa.string(), len(values), [present, pa.py_buffer(ends), pa.py_buffer(data)]
    )


def int32s(values: Iterable[int]) -> pa.Int32Array:
    """A column of 32-bit integers."""
    numbers = array("i", values)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])


def int64s(values: Iterable[int]) -> pa.Int64Array:
    """A column of 64-bit integers, such as the places that `take` is given."""
    numbers = array("q", values)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
