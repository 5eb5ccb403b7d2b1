"""Scores of sums over clusters: intervals, swaps, and what may be said of a change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from debias_eval.statistics import (
    Bootstrap,
    StatisticsError,
    change_of_score,
    cluster_bootstrap,
    moment_bootstrap,
    sign_flip_p,
    swap_p,
)
from debias_eval.statistics.clusters import Floats

FAST = Bootstrap(resamples=2000)


def mean(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] / sums[:, 1])


def squared_mean(sums: Floats) -> Floats:
    return np.asarray(mean(sums) ** 2)


def table(values: Floats) -> Floats:
    return np.column_stack([values, np.ones(len(values))])


def test_a_mean_of_few_clusters_gets_the_t_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    found = moment_bootstrap(table(values), mean, plan=FAST)
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((3.75, low, high))


def test_a_mean_of_many_clusters_agrees_with_the_cluster_bootstrap() -> None:
    rng = np.random.default_rng(0)
    sums, counts = rng.normal(1.0, 1.0, 200), rng.integers(1, 5, 200)
    found = moment_bootstrap(np.column_stack([sums * counts, counts]), mean, plan=FAST)
    values = np.repeat(sums, counts)
    other = cluster_bootstrap(values, np.repeat(np.arange(200), counts), resamples=2000)
    assert found.value == pytest.approx(other.value)
    assert found.low == pytest.approx(other.low, abs=0.02)
    assert found.high == pytest.approx(other.high, abs=0.02)


def test_coverage_of_a_ratio() -> None:
    rng = np.random.default_rng(1)
    plan, hits = Bootstrap(resamples=400), 0
    for _ in range(200):
        whole = rng.integers(1, 6, 40)
        part = rng.binomial(whole, 0.3)
        found = moment_bootstrap(np.column_stack([part, whole]), mean, plan=plan)
        hits += found.low <= 0.3 <= found.high
    assert hits >= 180


def test_one_cluster_says_nothing() -> None:
    found = moment_bootstrap([[1.0, 2.0]], mean)
    assert (found.value, found.low, found.high) == (0.5, -np.inf, np.inf)


def test_the_order_of_equal_clusters_and_the_seed_decide_nothing_else() -> None:
    rows = table(np.arange(30.0))
    assert moment_bootstrap(rows, mean, plan=FAST) == moment_bootstrap(rows, mean, plan=FAST)


@pytest.mark.parametrize("size", [8, 40])
def test_swaps_of_a_mean_are_sign_flips(size: int) -> None:
    rng = np.random.default_rng(size)
    before, after = rng.normal(0, 1, size), rng.normal(0.4, 1, size)
    found = swap_p(table(before), table(after), mean, permutations=1000)
    assert found == pytest.approx(sign_flip_p(after - before, permutations=1000))


def test_swaps_by_hand() -> None:
    """Three clusters that all went up by one: 2 of the 8 swaps reach the observed difference."""
    before = table(np.zeros(3))
    assert swap_p(before, table(np.ones(3)), mean) == 2 / 8
    assert swap_p(before, before, mean) == 1.0


def test_false_positives_of_swaps() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        first, second = rng.normal(1.0, 1.0, (2, 25))
        hits += swap_p(table(first), table(second), squared_mean, permutations=200) <= 0.05
    assert hits <= 20


def change(before: float, after: float, *, size: int = 60, noise: float = 0.3) -> object:
    rng = np.random.default_rng(5)
    own, shared = rng.normal(0, noise, (2, size)), rng.normal(0, noise, size)
    return change_of_score(
        table(0.5 + before + shared + 0.2 * own[0]),
        table(0.5 + after + shared + 0.2 * own[1]),
        mean,
        ideal=0.5,
        plan=FAST,
    )


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.5, 0.2, "improved"),
        (-0.5, -0.2, "improved"),
        (0.2, 0.5, "worse"),
        (0.4, -0.4, "inconclusive"),  # only the side changed
        (0.3, 0.3, "inconclusive"),
        (0.0, 0.01, "inconclusive"),
    ],
)
def test_verdicts(before: float, after: float, verdict: str) -> None:
    found = change(before, after)
    assert found.verdict(found.p) == verdict
    assert found.difference.value == pytest.approx(found.after.value - found.before.value)
    distance = abs(found.after.value - 0.5) - abs(found.before.value - 0.5)
    assert found.distance.value == pytest.approx(distance)
    if verdict == "improved":
        assert found.distance.high < 0


def test_nothing_is_said_without_the_adjusted_p() -> None:
    found = change(0.5, 0.2)
    assert found.verdict(0.06) == "inconclusive"
    assert found.verdict(0.05) == "improved"


def test_a_score_at_the_ideal_cannot_improve() -> None:
    """The distance shrinks in every cluster, but from a score that cannot be told from ideal."""
    found = change(0.05, 0.0, noise=2.0)
    assert not found.before.excludes(0.5)
    assert found.verdict(0.0) == "inconclusive"


def test_plain_data() -> None:
    found = change(0.5, 0.2).to_dict()
    assert set(found) == {"before", "after", "difference", "distance", "ideal", "p_difference"}
    single = change_of_score([[1.0, 2.0]], [[2.0, 2.0]], mean, ideal=0.5)
    assert single.to_dict()["difference"] == {"value": 0.5, "low": None, "high": None}
    assert single.verdict(0.0) == "inconclusive"


def test_what_is_refused() -> None:
    with pytest.raises(StatisticsError, match="not paired"):
        change_of_score([[1.0, 1.0]], [[1.0, 1.0], [2.0, 1.0]], mean, ideal=0.0)
    with pytest.raises(StatisticsError, match="not paired"):
        swap_p([[1.0, 1.0]], [[1.0, 1.0], [2.0, 1.0]], mean)
    with pytest.raises(StatisticsError, match="at least 100"):
        swap_p([[1.0, 1.0]], [[1.0, 1.0]], mean, permutations=10)
    with pytest.raises(StatisticsError, match="not finite"):
        moment_bootstrap([[np.nan, 1.0]], mean)
