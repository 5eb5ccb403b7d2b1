from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from debias_eval.statistics import PairEntropies, StatisticsError, gap_statistics


def simulate(
    rng: np.random.Generator,
    gap: float,
    *,
    pairs: int = 128,
    samples: int = 4,
    own: float = 0.05,
    noise: float = 0.15,
) -> list[PairEntropies]:
    """Pairs with a mean gap, a spread of their own around it, and sampling noise."""
    shift = rng.normal(gap, own, (pairs, 1))
    female = 1.0 + shift / 2 + rng.normal(0, noise, (pairs, samples))
    male = 1.0 - shift / 2 + rng.normal(0, noise, (pairs, samples))
    return [
        PairEntropies(f"p{i}", f"c{i}", tuple(female[i].tolist()), tuple(male[i].tolist()), None)
        for i in range(pairs)
    ]


def test_everything_by_hand() -> None:
    pairs = [
        PairEntropies("a", "1", (1.0, 1.2), (0.8, 1.0), 0.15),
        PairEntropies("b", "2", (2.0, 2.0), (2.1, 1.7), 0.05),
    ]
    found = gap_statistics(pairs, resamples=200)
    # d = 0.2 and 0.1; s² = .02 .02 and 0 .08; noise (.02 + .02)/2 and .08/2.
    assert found.gap.value == pytest.approx(0.15)
    assert found.female.value == pytest.approx(1.55)
    assert found.male.value == pytest.approx(1.4)
    square = ((0.2**2 - 0.02) + (0.1**2 - 0.04)) / 2
    assert found.rms is not None
    assert found.rms.value == pytest.approx(math.sqrt(max(0.0, square)))
    assert found.direct is not None
    assert found.content is not None
    assert found.direct.value == pytest.approx(0.1)
    assert found.content.value == pytest.approx(0.05)
    assert found.p_sign_flip == pytest.approx(0.5)
    assert (found.num_pairs, found.num_clusters, found.samples) == (2, 2, (2, 2))


def test_rms_is_not_fooled_by_sampling_noise() -> None:
    rng = np.random.default_rng(0)
    without = gap_statistics(simulate(rng, 0.0, pairs=2000, own=0.0), resamples=300)
    with_spread = gap_statistics(simulate(rng, 0.0, pairs=2000, own=0.1), resamples=300)
    assert without.rms is not None
    assert without.rms.low == 0.0
    assert without.rms.value < 0.03, "mean |d| would be 0.085 here"
    assert with_spread.rms is not None
    assert with_spread.rms.low < 0.1 < with_spread.rms.high


def test_rms_interval_covers() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(300):
        found = gap_statistics(simulate(rng, 0.1, pairs=80), resamples=300, seed=seed)
        assert found.rms is not None
        hits += found.rms.low <= math.hypot(0.1, 0.05) <= found.rms.high
    assert 0.92 <= hits / 300 <= 0.98


def test_one_answer_a_side_has_no_rms_and_says_so() -> None:
    found = gap_statistics(simulate(np.random.default_rng(0), 0.1, samples=1), resamples=200)
    assert found.rms is None
    assert any("not available with one answer" in note for note in found.notes)


def test_some_single_answers_leave_an_rms_of_the_rest() -> None:
    pairs = simulate(np.random.default_rng(0), 0.1, pairs=40)
    pairs[0] = replace(pairs[0], female=pairs[0].female[:1])
    found = gap_statistics(pairs, resamples=200)
    rest = gap_statistics(pairs[1:], resamples=200)
    assert found.rms is not None
    assert rest.rms is not None
    assert found.rms.value == pytest.approx(rest.rms.value)
    assert any("1 of 40 pairs" in note for note in found.notes)


def test_the_split_needs_every_pair() -> None:
    pairs = [replace(pair, direct=0.1) for pair in simulate(np.random.default_rng(0), 0.1)]
    whole = gap_statistics(pairs, resamples=200)
    assert whole.direct is not None
    assert whole.content is not None
    assert whole.direct.value + whole.content.value == pytest.approx(whole.gap.value)
    partial = gap_statistics([replace(pairs[0], direct=None), *pairs[1:]], resamples=200)
    assert partial.direct is None
    assert partial.content is None
    assert any("127 of 128" in note for note in partial.notes)


@pytest.mark.parametrize(
    ("gap", "pairs", "noise", "verdict"),
    [
        (0.18, 128, 0.15, "different"),
        (0.0, 2000, 0.1, "equivalent"),
        (0.0, 20, 0.3, "inconclusive"),
    ],
)
def test_verdicts(gap: float, pairs: int, noise: float, verdict: str) -> None:
    data = simulate(np.random.default_rng(3), gap, pairs=pairs, noise=noise)
    assert gap_statistics(data, resamples=500).verdict == verdict


def test_small_but_not_zero_is_equivalent_with_a_note() -> None:
    data = simulate(np.random.default_rng(3), 0.01, pairs=2000, own=0.01, noise=0.02)
    found = gap_statistics(data, resamples=500)
    assert found.gap.excludes(0.0)
    assert found.verdict == "equivalent"
    assert any("not 0" in note for note in found.notes)


def test_false_claims_of_a_difference_are_rare() -> None:
    rng = np.random.default_rng(11)
    different = sum(
        gap_statistics(simulate(rng, 0.0, pairs=40), resamples=300, seed=seed).gap.excludes(0.0)
        for seed in range(500)
    )
    assert different / 500 <= 0.05 + 2.3 * math.sqrt(0.05 * 0.95 / 500)


def test_false_claims_of_no_gap_are_rare() -> None:
    # The truth sits on the margin, where a claim of equivalence is wrong.
    rng = np.random.default_rng(12)
    claims = sum(
        gap_statistics(
            simulate(rng, 0.02, pairs=100, own=0.01, noise=0.03), resamples=300, seed=seed
        ).verdict
        == "equivalent"
        for seed in range(300)
    )
    assert claims / 300 < 0.05


def test_resolution_is_what_four_of_five_reports_see() -> None:
    rng = np.random.default_rng(5)
    gap = gap_statistics(simulate(rng, 0.0, pairs=60), resamples=200).resolution
    seen = sum(
        gap_statistics(simulate(rng, gap, pairs=60), resamples=300, seed=seed).gap.excludes(0.0)
        for seed in range(200)
    )
    assert seen / 200 == pytest.approx(0.8, abs=0.12)


def test_one_cluster_gives_no_interval_and_no_verdict() -> None:
    pairs = [
        replace(p, cluster_id="same") for p in simulate(np.random.default_rng(0), 0.5, pairs=9)
    ]
    found = gap_statistics(pairs, resamples=200)
    assert found.verdict == "inconclusive"
    plain = found.to_dict()
    assert plain["gap"] == {"value": pytest.approx(found.gap.value), "low": None, "high": None}
    assert plain["resolution"] is None
    assert plain["pairs_for_margin"] is None
    json.dumps(plain, allow_nan=False)


def test_swapping_the_sides_mirrors_the_gap() -> None:
    pairs = simulate(np.random.default_rng(0), 0.1)
    mirrored = [replace(pair, female=pair.male, male=pair.female) for pair in pairs]
    found, other = (gap_statistics(data, resamples=300) for data in (pairs, mirrored))
    assert other.gap.value == pytest.approx(-found.gap.value)
    assert other.gap.low == pytest.approx(-found.gap.high, abs=0.003)
    assert other.p_sign_flip == found.p_sign_flip


@pytest.mark.parametrize("side", ["female", "male"])
def test_one_sided_data_is_an_error(side: str) -> None:
    values = {"female": (1.0,), "male": (1.0,), side: ()}
    with pytest.raises(StatisticsError, match=f"no {side} answer"):
        PairEntropies("p", "c", **values)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_entropies_are_an_error(value: float) -> None:
    with pytest.raises(StatisticsError, match="'p'"):
        PairEntropies("p", "c", (1.0, value), (1.0,), None)
    with pytest.raises(StatisticsError, match="direct"):
        PairEntropies("p", "c", (1.0,), (1.0,), value)


def test_empty_data_and_repeated_pairs_are_errors() -> None:
    with pytest.raises(StatisticsError, match="at least one pair"):
        gap_statistics([])
    pair = PairEntropies("p", "c", (1.0,), (1.0,), None)
    with pytest.raises(StatisticsError, match="twice"):
        gap_statistics([pair, pair])
    with pytest.raises(StatisticsError, match="margin"):
        gap_statistics([pair], margin=0.0)
