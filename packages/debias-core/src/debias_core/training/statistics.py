"""The interval that training stops on.

The full report of a gap (bootstrap, permutation, equivalence test) is debias-eval's; here is only
what a trainer needs every few steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from debias_core.errors import DataError


@dataclass(frozen=True, slots=True)
class GapEstimate:
    """A signed entropy gap with its interval, in nats.

    Attributes:
        gap: mean over pairs of d_i, female minus male.
        low: lower end of the interval.
        high: upper end of the interval.
        num_pairs: pairs it rests on.
        num_clusters: independent clusters among them.
    """

    gap: float
    low: float
    high: float
    num_pairs: int
    num_clusters: int

    def inside(self, margin: float) -> bool:
        """Returns whether the whole interval lies within +-margin."""
        return -margin < self.low and self.high < margin

    def outside(self, margin: float) -> bool:
        """Returns whether the whole interval lies outside +-margin."""
        return self.low >= margin or self.high <= -margin


def estimate_gap(
    differences: Sequence[float], clusters: Sequence[str], *, confidence: float = 0.95
) -> GapEstimate:
    """Returns the mean difference with a cluster-robust t interval.

    Pairs made from one template or problem are not independent; the variance sums the residuals of
    each cluster before squaring (Liang and Zeger 1986, with the C/(C-1) correction), and the
    quantile is that of t with C-1 degrees of freedom.

    Args:
        differences: d_i of every pair, nats.
        clusters: cluster id of every pair.
        confidence: of the interval.

    Raises:
        DataError: lengths differ, or fewer than 2 clusters: no interval can be given.
    """
    d = np.asarray(differences, dtype=np.float64)
    if len(d) != len(clusters):
        raise DataError(f"{len(d)} differences but {len(clusters)} cluster ids")
    ids = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1]
    num_clusters = int(ids.max()) + 1 if len(d) else 0
    if num_clusters < 2:
        raise DataError(
            f"{len(d)} pairs from {num_clusters} clusters give no interval; a held-out set needs "
            "at least 2 clusters, and usefully 30 or more"
        )
    gap = float(d.mean())
    residual = np.bincount(ids, weights=d - gap)
    variance = num_clusters / (num_clusters - 1) * float((residual**2).sum()) / len(d) ** 2
    half = float(stats.t.ppf(0.5 + confidence / 2, num_clusters - 1)) * variance**0.5
    return GapEstimate(gap, gap - half, gap + half, len(d), num_clusters)
