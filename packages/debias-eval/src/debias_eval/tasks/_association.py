"""How closely one number follows another: slope and rank correlation, with intervals over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.tasks.generation import finite_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from debias_eval.statistics.clusters import Floats
    from debias_eval.tasks.base import GradeSettings

__all__ = ["over_rows", "slope", "slope_of_sums", "spearman"]


def slope_of_sums(sums: Floats) -> Floats:
    """Return the least-squares slope from sums of 1, x, y, x² and xy; 0 where x does not vary."""
    size, x, y, xx, xy = np.moveaxis(sums, -1, 0)
    covariance, spread = size * xy - x * y, size * xx - x * x
    varies = spread > 1e-9 * size * xx
    found: Floats = np.divide(covariance, spread, out=np.zeros_like(spread), where=varies)
    return found


def slope(shares: Floats, probabilities: Floats) -> Floats:
    """Return the least-squares slope along the last axis; 0 where all shares are the same."""
    x = shares - shares.mean(-1, keepdims=True)
    covariance, spread = np.asarray((x * probabilities).sum(-1)), np.asarray((x * x).sum(-1))
    found: Floats = np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)
    return found


def spearman(shares: Floats, probabilities: Floats) -> Floats:
    """Return the rank correlation along the last axis; 0 where one side is constant."""
    from scipy.stats import rankdata  # noqa: PLC0415 - listing benchmarks need not import scipy

    x, y = rankdata(shares, axis=-1), rankdata(probabilities, axis=-1)
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    product, spread = (x * y).sum(-1), np.asarray(np.sqrt((x * x).sum(-1) * (y * y).sum(-1)))
    rho: Floats = np.divide(product, spread, out=np.zeros_like(spread), where=spread > 0)
    return rho


def over_rows(
    table: Sequence[tuple[float, float]],
    statistic: Callable[[Floats, Floats], Floats],
    settings: GradeSettings,
) -> dict[str, object]:
    """Return a statistic of the table of (x, y) pairs with its bootstrap interval over them."""
    pairs = np.asarray(table)

    def of(places: Floats) -> Floats:
        chosen = pairs[places.astype(int)]
        return statistic(chosen[..., 0], chosen[..., 1])

    # The bootstrap resamples numbers; here they are places in the table.
    estimate = statistics.vectorized_bootstrap(
        np.arange(len(table), dtype=float), of, plan=statistics.Bootstrap(settings.resamples)
    )
    return {"value": estimate.value, "interval": finite_interval(estimate.low, estimate.high)}
