from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from debias_eval.statistics import StatisticsError, non_inferiority, paired_score_interval


def _score_statistic(difference: float, gained: int, lost: int, n: int) -> float:
    """Independent reference: maximise the multinomial likelihood numerically under the null."""

    def loss(lost_share: float) -> float:
        gained_share = lost_share + difference
        rest = 1 - gained_share - lost_share
        shares, counts = [gained_share, lost_share, rest], [gained, lost, n - gained - lost]
        if min(shares) < 0:
            return 1e12
        return -sum(c * np.log(max(s, 1e-300)) for c, s in zip(counts, shares, strict=True) if c)

    low, high = max(0.0, -difference), (1 - difference) / 2
    best = optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    variance = n * (2 * best + difference - difference**2)
    return (gained - lost - n * difference) / np.sqrt(variance)


@pytest.mark.parametrize(("gained", "lost", "n"), [(3, 9, 164), (20, 11, 500), (1, 4, 40)])
def test_interval_inverts_the_score_test(gained: int, lost: int, n: int) -> None:
    ours = paired_score_interval(gained, lost, n)
    assert ours.value == pytest.approx((gained - lost) / n)
    assert _score_statistic(ours.low, gained, lost, n) == pytest.approx(1.959964, abs=1e-3)
    assert _score_statistic(ours.high, gained, lost, n) == pytest.approx(-1.959964, abs=1e-3)


@pytest.mark.parametrize("n", [5, 50, 500])
def test_no_changed_item_leaves_a_known_interval(n: int) -> None:
    # With no disagreement Tango's interval is ±z²/(n + z²).
    z2 = stats.norm.ppf(0.975) ** 2
    ours = paired_score_interval(0, 0, n)
    assert ours.high == pytest.approx(z2 / (n + z2), abs=1e-6)
    assert ours.low == pytest.approx(-ours.high, abs=1e-9)


@given(st.integers(1, 300), st.data())
@settings(max_examples=60)
def test_swapping_models_mirrors_the_interval(n: int, data: st.DataObject) -> None:
    gained = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - gained))
    ours, mirrored = paired_score_interval(gained, lost, n), paired_score_interval(lost, gained, n)
    assert ours.low == pytest.approx(-mirrored.high, abs=1e-6)
    assert -1 <= ours.low <= ours.value <= ours.high <= 1


@pytest.mark.parametrize(("gained", "lost", "n"), [(1, 1, 1), (-1, 0, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(gained: int, lost: int, n: int) -> None:
    with pytest.raises(StatisticsError, match="impossible"):
        paired_score_interval(gained, lost, n)


@pytest.mark.parametrize(
    ("n", "base", "down", "up"), [(100, 0.8, 0.06, 0.03), (164, 0.5, 0.1, 0.1)]
)
def test_coverage_of_the_paired_interval(n: int, base: float, down: float, up: float) -> None:
    rng = np.random.default_rng(n)
    hits = 0
    for _ in range(1500):
        lost, gained, _ = rng.multinomial(n, [down, up, 1 - down - up])
        ours = paired_score_interval(int(gained), int(lost), n)
        hits += ours.low <= up - down <= ours.high
    assert 0.93 <= hits / 1500 <= 0.97


@pytest.mark.parametrize("samples", [1, 8])
def test_coverage_with_samples_and_clusters(samples: int) -> None:
    rng = np.random.default_rng(samples)
    runs, hits, num_clusters, size = 400, 0, 60, 2
    for _ in range(runs):
        skill = np.repeat(rng.beta(2, 1, num_clusters), size)
        drop = 0.1 * np.repeat(rng.random(num_clusters) < 0.5, size)
        before = rng.binomial(samples, skill) / samples
        after = rng.binomial(samples, np.clip(skill - drop * skill, 0, 1)) / samples
        result = non_inferiority(
            before, after, clusters=np.repeat(range(num_clusters), size).tolist()
        )
        truth = -0.05 * 2 / 3
        hits += result.difference.low <= truth <= result.difference.high
    assert 0.925 <= hits / runs <= 0.98


def test_five_unchanged_items_do_not_show_that_a_score_was_kept() -> None:
    result = non_inferiority([1, 1, 1, 0, 1], [1, 1, 1, 0, 1])
    assert result.verdict == "inconclusive"


def test_many_unchanged_items_do() -> None:
    outcomes = [1, 1, 1, 1, 0] * 80
    result = non_inferiority(outcomes, outcomes)
    assert result.verdict == "preserved"
    assert result.margin == pytest.approx(0.04)
    assert result.p is not None
    assert result.p < 0.025


def test_a_collapse_is_a_drop() -> None:
    result = non_inferiority([1] * 100, [1] * 60 + [0] * 40)
    assert result.verdict == "dropped"
    assert result.difference.high < -0.05
    assert result.p is not None
    assert result.p > 0.99


def test_nothing_to_keep_cannot_be_shown() -> None:
    result = non_inferiority([0] * 500, [0] * 500)
    assert result.verdict == "cannot_be_shown"
    assert result.p is None


def test_a_false_claim_at_the_margin_is_rare() -> None:
    rng = np.random.default_rng(0)
    n, base, claims = 400, 0.8, 0
    for _ in range(800):
        before = rng.random(n) < base
        # The true drop is exactly the margin, 4 points: 5 points lost, 1 gained.
        lost = before & (rng.random(n) < 0.05 / base)
        gained = ~before & (rng.random(n) < 0.01 / (1 - base))
        after = (before & ~lost) | gained
        claims += non_inferiority(before, after).verdict == "preserved"
    assert claims / 800 < 0.045


def test_items_of_one_cluster_count_less() -> None:
    before = np.array([1.0] * 120)
    after = np.array([1.0] * 110 + [0.0] * 10)
    alone = non_inferiority(before, after)
    clustered = non_inferiority(before, after, clusters=[i // 10 for i in range(120)])
    assert clustered.difference.value == alone.difference.value
    assert clustered.difference.low < alone.difference.low


def test_detectable_difference_needs_six_items_one_way() -> None:
    assert non_inferiority([1] * 100, [1] * 100).detectable >= 0.06
    assert non_inferiority([1] * 4, [1] * 4).detectable == 1.0


@pytest.mark.parametrize(
    ("before", "after", "options", "message"),
    [
        ([1, 0], [1], {}, "not paired"),
        ([1, 2], [1, 1], {}, r"\[0, 1\]"),
        ([], [], {}, "at least one"),
        ([1], [1], {"margin_relative": 0.0}, "relative margin"),
    ],
)
def test_bad_outcomes_are_refused(
    before: list[float], after: list[float], options: dict[str, float], message: str
) -> None:
    with pytest.raises(StatisticsError, match=message):
        non_inferiority(before, after, **options)
