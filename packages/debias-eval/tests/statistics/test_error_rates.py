"""Claims of a change where there is none, and coverage of what sums over clusters give.

Small on purpose; ``experiments/error_rates.py`` runs the same kinds a thousand times each.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from debias_eval.statistics import Bootstrap, change_of_score, moment_bootstrap
from debias_eval.statistics.clusters import Floats


def most(runs: int, share: float) -> int:
    """How many hits a right share leaves possible once in a thousand times."""
    return int(stats.binom.ppf(0.999, runs, share))


def share(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] / sums[:, 1])


def slope(sums: Floats) -> Floats:
    n, x, y, xx, xy = sums.T
    return np.asarray((n * xy - x * y) / (n * xx - x * x))


def test_the_interval_of_a_slope_covers() -> None:
    rng, runs, missed = np.random.default_rng(0), 300, 0
    for _ in range(runs):
        x = rng.uniform(0, 1, 60)
        y = 0.5 + 0.2 * (x - 0.5) + rng.normal(0, 0.15, 60)
        table = np.column_stack([np.ones(60), x, y, x * x, x * y])
        found = moment_bootstrap(table, slope, plan=Bootstrap(resamples=300))
        missed += not found.low <= 0.2 <= found.high
    assert missed <= most(runs, 0.06)
    assert missed >= 1


def test_a_suite_that_did_not_change_is_rarely_said_to_have() -> None:
    rng, runs, claims, missed = np.random.default_rng(1), 150, 0, 0
    for run in range(runs):
        whole = rng.integers(1, 6, 40)
        own = rng.beta(5.6, 2.4, 40)
        tables = [np.column_stack([rng.binomial(whole, own), whole]) for _ in range(2)]
        plan = Bootstrap(resamples=200, seed=run)
        found = change_of_score(tables[0], tables[1], share, ideal=0.5, plan=plan)
        claims += found.verdict(found.p) != "inconclusive"
        missed += found.difference.excludes(0.0)
    assert claims <= most(runs, 0.05)
    assert missed <= most(runs, 0.07)
