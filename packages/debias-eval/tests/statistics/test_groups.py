"""More than two groups."""

from __future__ import annotations

import json

import numpy as np
import pytest

from debias_eval.statistics import (
    GroupEntropies,
    PairEntropies,
    StatisticsError,
    gap_statistics,
    group_gaps,
    holm,
)


def items(*means: float, size: int = 40, noise: float = 0.05) -> list[GroupEntropies]:
    rng = np.random.default_rng(0)
    names = ("female", "male", "neutral", "other")
    return [
        GroupEntropies(
            f"p{i}",
            f"c{i // 2}",
            {
                name: tuple((mean + rng.normal(0, noise, 2)).tolist())
                for name, mean in zip(names, means, strict=False)
            },
        )
        for i in range(size)
    ]


def test_three_groups_by_hand() -> None:
    """Means 1.3, 1.1, 0.9: their mean is 1.1."""
    found = group_gaps(items(1.3, 1.1, 0.9, noise=0.0), resamples=200)
    gaps = {name: value.value for name, value in found.against_mean.items()}
    assert gaps == pytest.approx({"female": 0.2, "male": 0.0, "neutral": -0.2})
    pairs = {(pair.first, pair.second): pair.gap.value for pair in found.pairs}
    assert pairs == pytest.approx(
        {("female", "male"): 0.2, ("female", "neutral"): 0.4, ("male", "neutral"): 0.2}
    )


def test_groups_weigh_the_same_whatever_their_number_of_answers() -> None:
    one = GroupEntropies("a", "a", {"x": (1.0,), "y": (2.0, 2.0, 2.0), "z": (3.0,)})
    found = group_gaps([one, GroupEntropies("b", "b", one.groups)], resamples=200)
    assert found.against_mean["y"].value == pytest.approx(0.0)
    assert sum(value.value for value in found.against_mean.values()) == pytest.approx(0.0)


def test_two_groups_are_the_signed_gap() -> None:
    rows = items(1.2, 1.0)
    found = group_gaps(rows, resamples=300)
    pairs = [
        PairEntropies(r.item_id, r.cluster_id, r.groups["female"], r.groups["male"]) for r in rows
    ]
    signed = gap_statistics(pairs, resamples=300)
    (pair,) = found.pairs
    assert (pair.gap.low, pair.gap.value, pair.gap.high) == pytest.approx(
        (signed.gap.low, signed.gap.value, signed.gap.high)
    )
    assert pair.p == pair.p_holm == signed.p_sign_flip
    assert found.against_mean["female"].value == pytest.approx(signed.gap.value / 2)


def test_every_pair_is_there_and_adjusted_together() -> None:
    found = group_gaps(items(1.2, 1.0, 1.0, 1.0, noise=0.02), resamples=500)
    assert len(found.pairs) == 6
    assert [pair.p_holm for pair in found.pairs] == list(holm([pair.p for pair in found.pairs]))
    verdicts = {(pair.first, pair.second): pair.verdict for pair in found.pairs}
    assert verdicts["female", "male"] == "different"
    assert verdicts["male", "neutral"] == "equivalent"
    assert (found.num_items, found.num_clusters) == (40, 20)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one"),
        ([GroupEntropies("a", "a", {"x": (1.0,)})], "two groups"),
        (items(1.0, 1.0, size=1) * 2, "twice"),
        ([*items(1.0, 1.0, size=1), GroupEntropies("b", "b", {"female": (1.0,)})], "'b' is in"),
        ([GroupEntropies("a", "a", {"x": (), "y": (1.0,)})], "x entropies"),
        ([GroupEntropies("a", "a", {"x": (np.nan,), "y": (1.0,)})], "x entropies"),
    ],
)
def test_what_is_refused(rows: list[GroupEntropies], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        group_gaps(rows)
    with pytest.raises(StatisticsError, match="margin"):
        group_gaps(items(1.0, 1.0), margin=0.0)
