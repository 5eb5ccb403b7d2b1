"""Arrow arrays out of plain values, by their buffers.

`pyarrow.array`, and `take` with a list, import pandas to ask what they were given: a third of a
second in every process.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa


def texts(values: Sequence[str], *, present: pa.Buffer | None = None) -> pa.StringArray:
    """A column of texts; `present` has a bit for each, 0 for a null."""
    joined = "".join(values)
    data = joined.encode("utf-8")
    is_ascii = len(data) == len(joined)
    sizes = map(len, values if is_ascii else [value.encode("utf-8") for value in values])
    ends = array("i", [*accumulate(sizes, initial=0)])
    return pa.Array.from_buffers(
        pa.string(), len(values), [present, pa.py_buffer(ends), pa.py_buffer(data)]
    )


def optional_texts(values: Sequence[str | None]) -> pa.StringArray:
    """A column of texts and nulls."""
    is_there = np.array([value is not None for value in values], bool)
    bits = np.packbits(is_there, bitorder="little")
    return texts([value or "" for value in values], present=pa.py_buffer(bits))


def int32s(values: Sequence[int]) -> pa.Int32Array:
    """A column of 32-bit integers."""
    numbers = array("i", values)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])


def int64s(values: Sequence[int]) -> pa.Int64Array:
    """A column of 64-bit integers, such as the places that `take` is given."""
    numbers = array("q", values)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
