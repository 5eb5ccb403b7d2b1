from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from debias_eval.statistics import Estimate, Interval, StatisticsError, wilson_interval


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (72, 164), (164, 164), (3, 1000)])
def test_wilson_agrees_with_scipy(k: int, n: int, confidence: float) -> None:
    reference = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    ours = wilson_interval(k, n, confidence)
    assert ours.low == pytest.approx(reference.low, abs=1e-12)
    assert ours.high == pytest.approx(reference.high, abs=1e-12)


def test_wilson_by_hand() -> None:
    # 5 of 10 at z = 1.959964: centre 0.5, half-width z*sqrt(0.025 + z²/400)/(1 + z²/10).
    z = 1.959963984540054
    half = z * math.sqrt(0.025 + z * z / 400) / (1 + z * z / 10)
    ours = wilson_interval(5, 10)
    assert ours.low == pytest.approx(0.5 - half)
    assert ours.high == pytest.approx(0.5 + half)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson_interval(0, 0) == Interval(0.0, 1.0)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_stays_in_range(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    ours = wilson_interval(k, n)
    assert 0.0 <= ours.low <= k / n <= ours.high <= 1.0
    assert ours.high > ours.low


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_wilson_refuses_impossible_counts(k: int, n: int) -> None:
    with pytest.raises(StatisticsError, match="impossible"):
        wilson_interval(k, n)


def test_estimates_are_plain_data_without_infinities() -> None:
    assert Estimate(1.0, -math.inf, 2.0).to_dict() == {"value": 1.0, "low": None, "high": 2.0}


def test_intervals_decide() -> None:
    gap = Estimate(0.01, -0.005, 0.019)
    assert gap.within(0.02)
    assert not gap.within(0.019), "strictly inside"
    assert not gap.excludes(0.0)
    assert Estimate(0.01, 0.005, 0.02).excludes(0.0)
    assert not Estimate(0.0, -math.inf, math.inf).within(1e9)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_estimate_is_a_finite_number(value: float) -> None:
    with pytest.raises(StatisticsError):
        Estimate(value, 0.0, 1.0)


def test_a_reversed_interval_is_refused() -> None:
    with pytest.raises(StatisticsError, match="not an interval"):
        Interval(1.0, 0.0)
