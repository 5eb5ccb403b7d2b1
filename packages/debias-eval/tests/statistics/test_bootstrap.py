from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from debias_eval.statistics import StatisticsError, cluster_bootstrap, paired_bootstrap
from debias_eval.statistics.bootstrap import Bootstrap, vectorized_bootstrap
from debias_eval.statistics.clusters import tabulate


def test_standard_error_without_clusters_is_the_textbook_one() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0, -3.0])
    table = tabulate(values, None)
    assert table.standard_errors()[0] == pytest.approx(stats.sem(values))


def test_standard_error_of_clusters_by_hand() -> None:
    # Clusters a: 1, 3 and b: 8. Mean 4, residual sums -4 and 4, C/(C-1) = 2.
    table = tabulate([1.0, 3.0, 8.0], ["a", "a", "b"])
    assert table.means[0] == 4.0
    assert table.standard_errors()[0] == pytest.approx(math.sqrt(2 * (16 + 16)) / 3)


def test_copies_of_rows_do_not_make_data_surer() -> None:
    values = np.random.default_rng(0).normal(size=40)
    once = cluster_bootstrap(values, list(range(40)), resamples=500)
    thrice = cluster_bootstrap(
        np.repeat(values, 3), np.repeat(range(40), 3).tolist(), resamples=500
    )
    assert thrice.low == pytest.approx(once.low)
    assert thrice.high == pytest.approx(once.high)


def test_interval_is_near_the_t_interval_for_normal_values() -> None:
    values = np.random.default_rng(3).normal(0.3, 2.0, size=80)
    reference = stats.t.interval(0.95, 79, loc=values.mean(), scale=stats.sem(values))
    ours = cluster_bootstrap(values)
    width = reference[1] - reference[0]
    assert ours.low == pytest.approx(reference[0], abs=0.06 * width)
    assert ours.high == pytest.approx(reference[1], abs=0.06 * width)


def test_few_clusters_get_the_t_interval() -> None:
    values = [0.1, 0.5, 0.2, 0.9]
    reference = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    ours = cluster_bootstrap(values)
    assert (ours.low, ours.high) == pytest.approx(reference)


def test_one_cluster_says_nothing_about_its_spread() -> None:
    ours = cluster_bootstrap([1.0, 2.0, 3.0], ["a", "a", "a"])
    assert ours.value == 2.0
    assert (ours.low, ours.high) == (-math.inf, math.inf)


def test_equal_values_have_no_spread() -> None:
    ours = cluster_bootstrap([0.1] * 30)
    assert ours.low == pytest.approx(0.1, abs=1e-15)
    assert ours.high == pytest.approx(0.1, abs=1e-15)


def test_almost_all_equal_values_still_get_a_bounded_interval() -> None:
    values = [0.0] * 49 + [1.0]
    ours = cluster_bootstrap(values)
    assert ours.low < 0.02 < ours.high < 1.0


@given(st.permutations(range(24)), st.integers(0, 3))
@settings(max_examples=15)
def test_the_order_of_rows_does_not_matter(order: list[int], seed: int) -> None:
    values = np.random.default_rng(5).normal(size=24)
    clusters = [f"c{i % 12}" for i in range(24)]
    straight = cluster_bootstrap(values, clusters, resamples=200, seed=seed)
    shuffled = cluster_bootstrap(
        values[list(order)], [clusters[i] for i in order], resamples=200, seed=seed
    )
    assert shuffled.low == pytest.approx(straight.low, abs=1e-12)
    assert shuffled.high == pytest.approx(straight.high, abs=1e-12)


def test_same_seed_same_interval_other_seed_another() -> None:
    values = np.random.default_rng(1).normal(size=30)
    first = cluster_bootstrap(values, resamples=300, seed=1)
    assert cluster_bootstrap(values, resamples=300, seed=1) == first
    assert cluster_bootstrap(values, resamples=300, seed=2) != first


def _normal(rng: np.random.Generator, clusters: int) -> np.ndarray:
    return rng.normal(0, 1, (clusters, 1)) + rng.normal(0, 1, (clusters, 3))


def _skewed(rng: np.random.Generator, clusters: int) -> np.ndarray:
    return rng.exponential(1.0, (clusters, 1)) - 1.0


@pytest.mark.parametrize("num_clusters", [30, 100, 200])
@pytest.mark.parametrize("draw", [_normal, _skewed])
def test_coverage_lies_between_93_and_97_percent(num_clusters: int, draw: object) -> None:
    assert callable(draw)
    rng = np.random.default_rng(num_clusters)
    runs, hits = 600, 0
    for seed in range(runs):
        values = draw(rng, num_clusters)
        clusters = np.repeat(range(num_clusters), values.shape[1]).tolist()
        ours = cluster_bootstrap(values.ravel(), clusters, resamples=400, seed=seed)
        hits += ours.low <= 0.0 <= ours.high
    # 600 runs at 95% lie within ±1.8 points in 95% of cases; the band is the product's promise.
    assert 0.93 <= hits / runs <= 0.97


def test_other_statistics_agree_with_scipy_bca() -> None:
    values = np.random.default_rng(2).exponential(1.0, 60)
    reference = stats.bootstrap(
        (values,), np.median, method="BCa", n_resamples=4000, rng=np.random.default_rng(0)
    ).confidence_interval
    ours = cluster_bootstrap(values, statistic=lambda v: float(np.median(v)), resamples=2000)
    width = reference.high - reference.low
    assert ours.low == pytest.approx(reference.low, abs=0.2 * width)
    assert ours.high == pytest.approx(reference.high, abs=0.2 * width)


def test_paired_bootstrap_is_the_bootstrap_of_differences() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.random(50), rng.random(50)
    plan = Bootstrap(resamples=300, seed=9)
    assert paired_bootstrap(before, after, plan=plan) == cluster_bootstrap(
        after - before, resamples=300, seed=9
    )


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], None, "at least one row"),
        ([1.0, math.nan], None, "row 1"),
        ([1.0, math.inf], None, "row 1"),
        ([1.0, 2.0], ["a"], "2 values but 1 cluster"),
    ],
)
def test_bad_data_is_refused(values: list[float], clusters: list[str] | None, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        cluster_bootstrap(values, clusters)


def test_unpaired_outcomes_are_refused() -> None:
    with pytest.raises(StatisticsError, match="not paired"):
        paired_bootstrap([1.0], [1.0, 0.0])


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(StatisticsError, match="100"):
        cluster_bootstrap([1.0, 2.0], resamples=10)


@pytest.mark.slow
def test_ten_thousand_clusters_in_bounded_memory() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    tracemalloc.start()
    cluster_bootstrap(values, resamples=10_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


def test_a_vectorized_statistic_gives_the_same_kind_of_interval():
    values = np.random.default_rng(3).normal(1.0, 0.5, size=80)
    slow = cluster_bootstrap(values, statistic=lambda v: float(np.median(v)), resamples=2000)
    fast = vectorized_bootstrap(values, lambda v: np.median(v, axis=-1), plan=Bootstrap(2000))
    assert fast.value == pytest.approx(slow.value)
    assert fast.low == pytest.approx(slow.low, abs=0.03)
    assert fast.high == pytest.approx(slow.high, abs=0.03)


@pytest.mark.parametrize("size", [64, 100, 240, 256, 999, 1319])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_resample_without_spread_is_not_taken_for_one_with_a_tiny_spread(size, lost):
    """One item lost of many: most resamples hold few or none, and rounding must not divide them."""
    differences = np.zeros(size)
    differences[:lost] = -1.0
    got = paired_bootstrap(np.ones(size), 1.0 + differences)
    assert -0.2 < got.low <= got.value <= got.high <= 0.2
