"""Near-duplicates by MinHash (Broder 1997): a text is a signature, and like signatures like texts.

The share of equal places of two signatures estimates the Jaccard similarity of their sets of word
sequences, with a standard error of at most 1/16 for 64 places. Candidates are the texts that agree
in one band of places at least; only those are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debias_data.ngrams import Hashes, ngram_hashes

PLACES = 64
_MARGIN = 0.1
_ROWS = (16, 8, 4, 2, 1)
_ROUNDS = 64
_AT_ONCE = 4096  # hashes: a megabyte-long text must not take a hundred of memory

_draw = np.random.Generator(np.random.PCG64(20240229))
_FACTORS = _draw.integers(1, 1 << 63, (PLACES, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _draw.integers(0, 1 << 63, (PLACES, 1), dtype=np.uint64)
_TOP = np.uint64(32)
_BASE = np.uint64(0x9E3779B97F4A7C15)

Signatures = NDArray[np.uint32]


def signature(text: str, words: int) -> Signatures:
    """The signature of a text, [PLACES]; of one without words, all ones."""
    return signature_of(ngram_hashes(text, words))


def signature_of(hashes: Hashes) -> Signatures:
    """The signature of a set of hashes: the smallest value under each of PLACES functions."""
    smallest: Signatures = np.full(PLACES, np.iinfo(np.uint32).max, np.uint32)
    for start in range(0, len(hashes), _AT_ONCE):
        values = (hashes[None, start : start + _AT_ONCE] * _FACTORS + _SHIFTS) >> _TOP
        np.minimum(smallest, values.min(axis=1).astype(np.uint32), out=smallest)
    return smallest


def near_duplicates(signatures: Signatures, threshold: float) -> dict[int, int]:
    """The rows of [N, PLACES] that resemble an earlier row, each with that row.

    Args:
        signatures: of the texts in order.
        threshold: estimated similarity from which two texts are near-duplicates, in 0..1.
    """
    rows = next((rows for rows in _ROWS if (rows / PLACES) ** (1 / rows) <= threshold - _MARGIN), 1)
    found: dict[int, int] = {}
    for start in range(0, PLACES, rows):
        band = np.zeros(len(signatures), np.uint64)
        for place in range(start, start + rows):
            band = band * _BASE + signatures[:, place]
        order = np.argsort(band, kind="stable")
        edges = np.flatnonzero(np.diff(band[order])) + 1
        for members in np.split(order, edges) if len(edges) < len(order) - 1 else []:
            if len(members) > 1:
                _compare(signatures, members, threshold, found)
    return found


def _compare(
    signatures: Signatures, members: NDArray[np.int64], threshold: float, found: dict[int, int]
) -> None:
    """Enter those of `members`, which are in order, that resemble an earlier one of them."""
    for _ in range(_ROUNDS):
        first, rest = members[0], members[1:]
        like = (signatures[rest] == signatures[first]).mean(axis=1) >= threshold
        for member in rest[like].tolist():
            earlier = int(first)
            if earlier < found.get(member, member):
                found[member] = earlier
        members = rest[~like]
        if len(members) < 2:
            return
