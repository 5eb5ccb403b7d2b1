"""Hashes of the word sequences of a text: what near-duplicates and overlaps are found by."""

from __future__ import annotations

import re
import zlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word is lost in the product
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_HALF = np.uint64(33)


def ngram_hashes(text: str, length: int) -> Hashes:
    """The distinct hashes of every `length` words in a row, whatever their case and spacing.

    A text with fewer words has one hash, of all of them; one without words has none. The hashes
    are the same in every process and on every machine.
    """
    words = [zlib.crc32(word.encode("utf-8")) for word in _WORD.findall(text.lower())]
    if not words:
        return np.empty(0, np.uint64)
    values = np.array(words, np.uint64)
    length = min(length, len(words))
    count = len(words) - length + 1
    hashes = np.full(count, length, np.uint64)
    for offset in range(length):
        hashes = hashes * _BASE + values[offset : offset + count]
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    hashes ^= hashes >> _HALF
    return np.unique(hashes)
