"""The few statistics of a card: quantiles, chi-square with an effect size, Wilson's interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from debias_data.jsonl import Json

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def quantiles(values: Sequence[float] | NDArray[np.float64]) -> dict[str, Json]:
    """Mean and quantiles (nearest rank) of a sample that is not empty."""
    ordered: list[float] = np.sort(np.asarray(values, np.float64)).tolist()
    found: dict[str, Json] = {"mean": round(math.fsum(ordered) / len(ordered), 6)}
    for share in _QUANTILES:
        rank = max(0, math.ceil(share * len(ordered)) - 1)
        found[f"q{round(100 * share):02d}"] = ordered[rank]
    return found


def association(rows: Sequence[str], columns: Sequence[str]) -> dict[str, Json]:
    """`association_of` the table in which `rows[i]` and `columns[i]` are counted together."""
    return association_of(Counter(zip(rows, columns, strict=True)))


def association_of(counts: Mapping[tuple[str, str], int]) -> dict[str, Json]:
    """Pearson's chi-square of a two-way table of counts, its p-value and Cramér's V.

    V is 0 for independence and 1 for complete association; with one row or one column there is
    nothing to associate and all are 0 (p = 1).
    """
    row_totals: Counter[str] = Counter()
    column_totals: Counter[str] = Counter()
    for (row, column), count in counts.items():
        row_totals[row] += count
        column_totals[column] += count
    total = row_totals.total()
    freedom = (len(row_totals) - 1) * (len(column_totals) - 1)
    if not freedom:
        return {"chi_square": 0.0, "degrees_of_freedom": 0, "p": 1.0, "cramers_v": 0.0}
    statistic = 0.0
    for row, row_total in row_totals.items():
        for column, column_total in column_totals.items():
            expected = row_total * column_total / total
            statistic += (counts.get((row, column), 0) - expected) ** 2 / expected
    smaller = min(len(row_totals), len(column_totals)) - 1
    return {
        "chi_square": round(statistic, 6),
        "degrees_of_freedom": freedom,
        "p": round(chi_square_tail(statistic, freedom), 9),
        "cramers_v": round(math.sqrt(statistic / (total * smaller)), 6),
    }


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P(X ≥ `statistic`) for chi-square with `freedom` degrees of freedom.

    The closed form for whole degrees of freedom: a Poisson sum when they are even, and that of
    half-integer steps upon erfc when they are odd.
    """
    if statistic <= 0.0:
        return 1.0
    half = statistic / 2.0
    if freedom % 2 == 0:
        term, start, tail = math.exp(-half), 1.0, 0.0
        for step in range(freedom // 2):
            tail += term
            term *= half / (step + 1)
        return min(1.0, tail * start)
    tail = math.erfc(math.sqrt(half))
    term = math.exp(-half) * math.sqrt(half) / math.gamma(1.5)
    for step in range((freedom - 1) // 2):
        tail += term
        term *= half / (step + 1.5)
    return min(1.0, tail)


def wilson(successes: int, trials: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval for a proportion, 95 % by default; (0, 1) without a trial."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    scale = 1.0 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
