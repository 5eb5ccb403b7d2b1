"""The interval that training stops on: a value by hand, coverage, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from debias_core.errors import DataError
from debias_core.training.statistics import estimate_gap


def test_a_value_by_hand() -> None:
    # independent pairs: the usual t interval. mean 2, s = 1, n = 3, t(0.975, 2) = 4.302653
    got = estimate_gap([1.0, 2.0, 3.0], ["a", "b", "c"])
    assert got.gap == pytest.approx(2.0)
    assert got.high - got.gap == pytest.approx(4.302653 / 3**0.5, abs=1e-5)
    assert (got.num_pairs, got.num_clusters) == (3, 3)
    assert got.inside(4.5)
    assert not got.inside(4.4)


def test_a_doubled_cluster_counts_once() -> None:
    single = estimate_gap([1.0, 2.0, 3.0], ["a", "b", "c"])
    doubled = estimate_gap([1.0, 1.0, 2.0, 2.0, 3.0, 3.0], ["a", "a", "b", "b", "c", "c"])
    assert doubled.high - doubled.low == pytest.approx(single.high - single.low)


def test_coverage_under_clustering() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    runs = 1000
    for _ in range(runs):
        cluster = rng.normal(0.1, 0.2, size=40).repeat(3)
        d = cluster + rng.normal(0, 0.3, size=120)
        got = estimate_gap(d.tolist(), [str(i // 3) for i in range(120)])
        covered += got.low <= 0.1 <= got.high
    assert 0.93 <= covered / runs <= 0.97


def test_refusals() -> None:
    with pytest.raises(DataError, match="at least 2 clusters"):
        estimate_gap([0.1, 0.2], ["a", "a"])
    with pytest.raises(DataError, match="0 pairs"):
        estimate_gap([], [])
    with pytest.raises(DataError, match="2 differences but 1"):
        estimate_gap([0.1, 0.2], ["a"])
