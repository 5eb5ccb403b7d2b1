from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from debias_eval.statistics import PairEntropies, StatisticsError, compare_gaps


def simulate(
    rng: np.random.Generator, gap: float, *, pairs: int = 100, noise: float = 0.1
) -> list[PairEntropies]:
    female = 1.0 + gap / 2 + rng.normal(0, noise, (pairs, 2))
    male = 1.0 - gap / 2 + rng.normal(0, noise, (pairs, 2))
    return [
        PairEntropies(f"p{i}", f"c{i // 2}", tuple(female[i].tolist()), tuple(male[i].tolist()))
        for i in range(pairs)
    ]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.18, 0.0, "improved"),
        (-0.18, 0.0, "improved"),
        (0.18, -0.05, "improved"),
        (0.05, 0.18, "worse"),
        (0.05, -0.18, "worse"),
        (0.0, 0.18, "worse"),
    ],
)
def test_clear_changes(before: float, after: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    found = compare_gaps(simulate(rng, before), simulate(rng, after), resamples=400)
    assert found.verdict == verdict
    assert found.change.value == pytest.approx(abs(after) - abs(before), abs=0.03)
    assert found.change.low <= abs(after) - abs(before) <= found.change.high


def test_a_flipped_gap_of_the_same_size_is_no_improvement() -> None:
    rng = np.random.default_rng(1)
    found = compare_gaps(simulate(rng, 0.15), simulate(rng, -0.15), resamples=400)
    assert found.signed_change.excludes(0.0)
    assert found.verdict in {"no_difference_shown", "inconclusive"}


def test_relative_change_by_hand() -> None:
    # No noise, so the interval closes on the value: from 0.2 to 0.05 is -75%.
    before = [PairEntropies(f"p{i}", f"c{i}", (1.2,), (1.0,)) for i in range(12)]
    after = [PairEntropies(f"p{i}", f"c{i}", (1.05,), (1.0,)) for i in range(12)]
    found = compare_gaps(before, after, resamples=200)
    assert found.relative is not None
    assert found.relative.value == pytest.approx(-0.75)
    assert found.relative.low == pytest.approx(-0.75)
    assert found.verdict == "improved"


def test_relative_change_interval_covers() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(300):
        found = compare_gaps(
            simulate(rng, 0.15, pairs=80), simulate(rng, 0.06, pairs=80), resamples=200, seed=seed
        )
        assert found.relative is not None
        hits += found.relative.low <= -0.6 <= found.relative.high
    assert 0.92 <= hits / 300 <= 0.98


def test_no_relative_change_and_no_improvement_without_a_gap_before() -> None:
    rng = np.random.default_rng(2)
    unclear = 0
    for seed in range(40):
        found = compare_gaps(
            simulate(rng, 0.0), simulate(rng, 0.0, noise=0.01), resamples=200, seed=seed
        )
        if found.before.excludes(0.0):
            continue
        unclear += 1
        assert found.relative is None
        assert found.verdict != "improved"
        assert "cannot be told from 0" in found.notes[0]
    assert unclear > 30


@pytest.mark.parametrize("gap", [0.0, 0.03, 0.18])
def test_a_model_against_itself_changes_in_at_most_5_percent_of_reports(gap: float) -> None:
    rng = np.random.default_rng(int(1000 * gap))
    runs = 400
    claims = 0
    for seed in range(runs):
        first, second = simulate(rng, gap, pairs=60), simulate(rng, gap, pairs=60)
        claims += compare_gaps(first, second, resamples=300, seed=seed).verdict in {
            "improved",
            "worse",
        }
    assert claims / runs <= 0.05


def test_the_same_samples_show_no_difference() -> None:
    pairs = simulate(np.random.default_rng(0), 0.18)
    found = compare_gaps(pairs, pairs, resamples=200)
    assert found.verdict == "no_difference_shown"
    assert found.change.value == 0.0
    assert found.p == 1.0
    assert "the same samples" in found.notes[0]
    json.dumps(found.to_dict(), allow_nan=False)


def test_little_data_is_inconclusive() -> None:
    rng = np.random.default_rng(0)
    found = compare_gaps(
        simulate(rng, 0.05, pairs=12), simulate(rng, 0.04, pairs=12), resamples=200
    )
    assert found.verdict == "inconclusive"


def test_single_pairs_show_nothing() -> None:
    # One male and one female prompt, before and after: 0.332 and 0.0156 nats.
    before = [PairEntropies("p", "c", (1.332,), (1.0,))]
    after = [PairEntropies("p", "c", (1.0156,), (1.0,))]
    found = compare_gaps(before, after, resamples=200)
    assert found.verdict == "inconclusive"
    assert found.relative is None
    assert math.isinf(found.change.high)
    json.dumps(found.to_dict(), allow_nan=False)


def test_pairs_are_matched_by_id() -> None:
    rng = np.random.default_rng(0)
    before, after = simulate(rng, 0.1), simulate(rng, 0.0)
    straight = compare_gaps(before, after, resamples=200)
    assert compare_gaps(before, after[::-1], resamples=200) == straight


def test_different_pairs_are_an_error() -> None:
    pairs = simulate(np.random.default_rng(0), 0.1)
    with pytest.raises(StatisticsError, match="1 only before, 0 only after, for example 'p0'"):
        compare_gaps(pairs, pairs[1:])
    moved = [replace(pairs[0], cluster_id="elsewhere"), *pairs[1:]]
    with pytest.raises(StatisticsError, match="elsewhere"):
        compare_gaps(pairs, moved)
