"""Could signs alone have done it? The sign-flip permutation test of a mean of 0."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from debias_eval.statistics.clusters import tabulate
from debias_eval.statistics.errors import StatisticsError

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
    num_clusters = len(sums)
    if num_clusters < permutations.bit_length():
        codes = np.arange(2**num_clusters)[:, None]
        signs = 1.0 - 2.0 * ((codes >> np.arange(num_clusters)) & 1)
        return float(np.mean(np.abs(signs @ sums) >= reach))
    rng = np.random.default_rng(seed)
    width = -(-num_clusters // 8)
    block = max(1, _CELLS // num_clusters)
    hits = 0
    for start in range(0, permutations, block):
        rows = min(block, permutations - start)
        packed = rng.integers(0, 256, size=(rows, width), dtype=np.uint8)
        flips = np.unpackbits(packed, axis=1, count=num_clusters).astype(np.float64)
        # Σ ±s = Σ s - 2·Σ_flipped s
        hits += int(np.sum(np.abs(sums.sum() - 2.0 * (flips @ sums)) >= reach))
    return (1 + hits) / (1 + permutations)
