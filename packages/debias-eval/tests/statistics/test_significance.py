from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from debias_eval.statistics import (
    StatisticsError,
    holm,
    mcnemar_exact,
    minimum_detectable_difference,
    sign_flip_p,
    tost,
)
from debias_eval.statistics.power import pairs_for_margin


@pytest.mark.parametrize(("b", "c"), [(0, 1), (3, 9), (9, 3), (10, 10), (40, 12), (0, 6)])
def test_mcnemar_agrees_with_the_binomial_test(b: int, c: int) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(stats.binomtest(b, b + c).pvalue)


def test_mcnemar_by_hand() -> None:
    assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(5, 5) == 1.0


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(StatisticsError):
        mcnemar_exact(-1, 2)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04: times 4 3 2 1 = .04 .06 .06 .04, made monotone.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.5]) == (0.5,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_value_and_bonferroni(pvalues: list[float]) -> None:
    adjusted = holm(pvalues)
    for raw, corrected in zip(pvalues, adjusted, strict=True):
        assert raw <= corrected <= min(1.0, len(pvalues) * raw) + 1e-12
    order = np.argsort(pvalues, kind="stable")
    assert all(a <= b for a, b in itertools.pairwise(np.array(adjusted)[order]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(pvalues: list[float]) -> None:
    """Reject a question only if Bonferroni rejects every set of questions that holds it."""
    indices = range(len(pvalues))
    sets = [s for size in indices for s in itertools.combinations(indices, size + 1)]
    expected = [
        max(min(1.0, len(s) * min(pvalues[i] for i in s)) for s in sets if question in s)
        for question in indices
    ]
    assert holm(pvalues) == pytest.approx(expected)


def test_holm_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 20):
        pvalues = (rng.random(size) ** 3).tolist()
        assert holm(pvalues) == pytest.approx(multitest.multipletests(pvalues, method="holm")[1])


def test_holm_refuses_what_is_not_a_probability() -> None:
    with pytest.raises(StatisticsError):
        holm([0.5, 1.5])


def test_tost_agrees_with_two_t_tests() -> None:
    values = np.random.default_rng(0).normal(0.02, 0.3, 60)
    result = tost(float(values.mean()), float(stats.sem(values)), margin=0.1, df=59)
    above = stats.ttest_1samp(values, -0.1, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.1, alternative="less").pvalue
    assert result.p_above_low == pytest.approx(above)
    assert result.p_below_high == pytest.approx(below)
    assert result.p == max(result.p_above_low, result.p_below_high)


@pytest.mark.parametrize("estimate", [-0.3, 0.0, 0.011, 0.0122, 0.0127, 0.2])
def test_tost_at_a_fortieth_is_the_95_percent_interval(estimate: float) -> None:
    error, margin, df = 0.004, 0.02, 30
    reach = stats.t.ppf(0.975, df) * error
    inside = -margin < estimate - reach and estimate + reach < margin
    assert (tost(estimate, error, margin=margin, df=df).p < 0.025) == inside


def test_tost_of_an_exact_value() -> None:
    assert tost(0.01, 0.0, margin=0.02).p == 0.0
    assert tost(0.03, 0.0, margin=0.02).p == 1.0
    with pytest.raises(StatisticsError, match="margin"):
        tost(0.0, 1.0, margin=0.0)


def test_sign_flips_of_few_values_are_enumerated() -> None:
    values = [0.5, 1.0, -0.2, 2.0]
    observed = abs(sum(values))
    patterns = list(itertools.product([1, -1], repeat=4))
    reached = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True))) >= observed - 1e-12
        for signs in patterns
    ]
    assert sign_flip_p(values) == sum(reached) / 16


def test_sign_flips_agree_with_scipy() -> None:
    values = np.random.default_rng(1).normal(0.3, 1.0, 40)
    reference = stats.permutation_test(
        (values,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).pvalue
    assert sign_flip_p(values, permutations=20_000) == pytest.approx(reference, abs=0.01)


def test_mcnemar_is_the_sign_flip_test_of_0_1_outcomes() -> None:
    change = [1.0] * 2 + [-1.0] * 8 + [0.0] * 30
    assert sign_flip_p(change[:10]) == pytest.approx(mcnemar_exact(2, 8))
    assert sign_flip_p(change, permutations=50_000) == pytest.approx(mcnemar_exact(2, 8), abs=0.01)


def test_a_cluster_is_flipped_as_one() -> None:
    # Ten rows that always agree are one observation: both patterns reach the sum.
    assert sign_flip_p([1.0] * 10, ["a"] * 10) == 1.0
    assert sign_flip_p([1.0] * 10) == pytest.approx(2 / 1024)


def test_sign_flip_p_is_never_zero_and_is_one_for_zeros() -> None:
    assert 0 < sign_flip_p([1.0] * 200, permutations=500) == pytest.approx(1 / 501)
    assert sign_flip_p([0.0] * 50) == 1.0


def test_sign_flip_rejects_at_its_level_without_an_effect() -> None:
    rng = np.random.default_rng(7)
    rejected = sum(
        sign_flip_p(rng.normal(size=25), permutations=400, seed=seed) <= 0.05 for seed in range(500)
    )
    assert rejected / 500 <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 500)


def test_detectable_difference_is_detected_in_four_of_five_reports() -> None:
    rng = np.random.default_rng(0)
    sd, n = 0.5, 40
    effect = minimum_detectable_difference(sd / math.sqrt(n), df=n - 1)
    samples = rng.normal(effect, sd, (4000, n))
    p = stats.ttest_1samp(samples, 0.0, axis=1).pvalue
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.025)


def test_detectable_difference_without_degrees_of_freedom_is_infinite() -> None:
    assert minimum_detectable_difference(0.1, df=0) == math.inf


def test_pairs_for_margin_settle_the_margin_in_four_of_five_reports() -> None:
    rng = np.random.default_rng(0)
    sd, n, margin = 0.2, 50, 0.02
    needed = pairs_for_margin(sd / math.sqrt(n), num_pairs=n, margin=margin)
    means = rng.normal(0.0, sd / math.sqrt(needed), 20_000)
    inside = np.abs(means) + 1.96 * sd / math.sqrt(needed) < margin
    assert np.mean(inside) == pytest.approx(0.8, abs=0.015)
