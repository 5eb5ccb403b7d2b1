"""Could chance alone have done it? Permutation tests: of a mean of 0, and of two equal scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from debias_eval.statistics.clusters import Floats, as_rows, tabulate
from debias_eval.statistics.errors import StatisticsError

Statistic = Callable[[Floats], Floats]
"""A score of sums over clusters: [R, M] to [R]."""

# Sign bits held at once, as float64: 16 MB.
_CELLS = 2_000_000


def sign_flip_p(
    values: npt.ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    permutations: int = 10_000,
    seed: int = 0,
) -> float:
    """Return the two-sided p of "the values are symmetric around 0", flipping whole clusters.

    The share of sign patterns whose |sum| reaches the observed one. All ``2^C`` patterns where
    they are at most ``permutations``, else that many at random with the observed one counted in
    (``(1 + hits)/(1 + permutations)``), so that p is never 0 and the test is valid at any number
    of clusters. Values that are all 0 give 1.

    Args:
        values: [n] finite numbers, for example female minus male a pair.
        clusters: n identifiers; a cluster is flipped as one. ``None``: each row its own.
        permutations: random patterns, at least 100.
        seed: of the random generator.

    Raises:
        StatisticsError: on no rows, non-finite values, or lengths that differ.
    """
    if permutations < 100:
        raise StatisticsError(f"at least 100 permutations are needed, got {permutations}")
    sums = tabulate(values, clusters).sums[:, 0]
    # Sums that differ by rounding only are ties, and a tie counts as reached.
    reach = abs(float(sums.sum())) - 1e-12 * float(np.abs(sums).sum())
    hits = 0
    for flips in _flips(len(sums), permutations, seed):
        # Σ ±s = Σ s - 2·Σ_flipped s
        hits += int(np.sum(np.abs(sums.sum() - 2.0 * (flips @ sums)) >= reach))
    return _p_of(hits, len(sums), permutations)


def swap_p(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    statistic: Statistic,
    *,
    permutations: int = 10_000,
    seed: int = 0,
) -> float:
    """Return the two-sided p of "both models score alike", swapping their rows cluster by cluster.

    The share of swaps in which the difference of the scores is as large as the observed one. For
    a mean this is ``sign_flip_p``; here a score may be any function of sums over clusters.

    Args:
        before: [C, M] sums of each cluster under the first model.
        after: [C, M] the same clusters under the second model.
        statistic: takes [R, M] sums over clusters and returns [R] scores.
        permutations: random swaps, at least 100.
        seed: of the random generator.

    Raises:
        StatisticsError: on no clusters, non-finite values, or shapes that differ.
    """
    if permutations < 100:
        raise StatisticsError(f"at least 100 permutations are needed, got {permutations}")
    first, second = as_rows(before), as_rows(after)
    if first.shape != second.shape:
        raise StatisticsError(f"not paired: shapes {first.shape} and {second.shape}")
    start, total = first.sum(axis=0), first.sum(axis=0) + second.sum(axis=0)
    observed = float(statistic((total - start)[None])[0] - statistic(start[None])[0])
    if observed == 0.0:
        return 1.0
    # Differences that differ by rounding only are ties, and a tie counts as reached.
    reach = abs(observed) * (1.0 - 1e-9)
    hits = 0
    for flips in _flips(len(first), permutations, seed):
        swapped = start + flips @ (second - first)
        hits += int(np.sum(np.abs(statistic(total - swapped) - statistic(swapped)) >= reach))
    return _p_of(hits, len(first), permutations)


def _is_exhaustive(num_clusters: int, permutations: int) -> bool:
    return num_clusters < permutations.bit_length()


def _flips(num_clusters: int, permutations: int, seed: int) -> Iterator[Floats]:
    """Yield [R, C] blocks of 0 and 1: every pattern where there are few, else random ones."""
    if _is_exhaustive(num_clusters, permutations):
        codes = np.arange(2**num_clusters)[:, None]
        yield ((codes >> np.arange(num_clusters)) & 1).astype(np.float64)
        return
    rng = np.random.default_rng(seed)
    width = -(-num_clusters // 8)
    block = max(1, _CELLS // num_clusters)
    for start in range(0, permutations, block):
        rows = min(block, permutations - start)
        packed = rng.integers(0, 256, size=(rows, width), dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=num_clusters).astype(np.float64)


def _p_of(hits: int, num_clusters: int, permutations: int) -> float:
    if _is_exhaustive(num_clusters, permutations):
        return hits / 2.0**num_clusters
    return (1 + hits) / (1 + permutations)
