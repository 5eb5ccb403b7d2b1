"""Rows that belong together: sums by cluster and the spread of their mean."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from debias_eval.statistics.errors import StatisticsError

Floats = npt.NDArray[np.float64]

# Below this share of the values' own size a spread is rounding, not data.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class ClusterTable:
    """Rows summed by cluster.

    Attributes:
        sums: [C, M] sum of each of M columns over the rows of a cluster.
        counts: [C] rows of a cluster.
    """

    sums: Floats
    counts: Floats

    @property
    def num_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.counts)

    @property
    def means(self) -> Floats:
        """[M] mean over all rows (not the mean of cluster means)."""
        return np.asarray(self.sums.sum(axis=0) / self.counts.sum())

    def standard_errors(self) -> Floats:
        """[M] cluster-robust standard error of the means; infinite for a single cluster.

        ``sqrt(C/(C-1) · Σ_c (S_c - n_c·mean)²) / n``; with one row a cluster this is ``s/√n``.
        """
        if self.num_clusters < 2:
            return np.full(self.sums.shape[1], np.inf)
        residual = self.sums - self.counts[:, None] * self.means
        spread = np.sqrt(np.sum(residual**2, axis=0))
        size = np.sqrt(np.sum(self.sums**2, axis=0))
        spread = np.where(spread <= _ROUNDING * size, 0.0, spread)
        inflation = np.sqrt(self.num_clusters / (self.num_clusters - 1))
        return np.asarray(inflation * spread / self.counts.sum())


def tabulate(values: npt.ArrayLike, clusters: Sequence[Hashable] | None) -> ClusterTable:
    """Return ``values`` summed by cluster, the clusters in an order that rows do not decide.

    Args:
        values: [n] or [n, M] finite numbers.
        clusters: n identifiers; ``None`` makes every row a cluster of its own.

    Raises:
        StatisticsError: on no rows, on a value that is not finite, or on lengths that differ.
    """
    rows = as_rows(values)
    if clusters is None:
        return ClusterTable(rows, np.ones(len(rows)))
    codes = cluster_codes(clusters, expected=len(rows))
    counts = np.asarray(np.bincount(codes), dtype=np.float64)
    columns = [np.bincount(codes, weights=column) for column in rows.T]
    sums = np.asarray(np.column_stack(columns), dtype=np.float64)
    return ClusterTable(sums, counts)


def as_rows(values: npt.ArrayLike) -> Floats:
    """Return ``values`` as [n, M] floats; raises StatisticsError on none or on a non-finite one."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2 or rows.size == 0:
        raise StatisticsError(f"a statistic needs at least one row, got shape {rows.shape}")
    if not np.all(np.isfinite(rows)):
        bad = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise StatisticsError(f"row {bad} holds a value that is not finite")
    return rows


def cluster_codes(clusters: Sequence[Hashable], *, expected: int) -> npt.NDArray[np.intp]:
    """Return 0-based codes of the clusters, numbered by sorted name.

    Numbering by name rather than by first appearance makes every seeded result independent of
    the order of the rows.
    """
    if len(clusters) != expected:
        raise StatisticsError(f"{expected} values but {len(clusters)} cluster ids")
    names = sorted(set(clusters), key=lambda name: (type(name).__name__, str(name)))
    code = {name: index for index, name in enumerate(names)}
    return np.fromiter((code[name] for name in clusters), dtype=np.intp, count=expected)
