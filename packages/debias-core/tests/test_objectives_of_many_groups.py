"""Objectives over more than two groups, and the properties that hold for any number of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_core import objectives
from debias_core.errors import DataError

THREE = ("a", "b", "c")
H = torch.tensor([0.1, 0.3, 0.5, 0.3, 0.3, 0.9], dtype=torch.float64)  # two pairs of a, b, c
IDS = torch.tensor([0, 1, 2, 0, 1, 2])
PAIRS = torch.tensor([0, 0, 0, 1, 1, 1])
# group means .2 .3 .7, their mean .4: gaps -.2 -.1 .3; squared differences .01 .25 .16


def test_gaps_are_taken_against_the_mean_of_the_group_means() -> None:
    assert objectives.group_gaps(H, IDS, declared=THREE).tolist() == pytest.approx(
        [-0.2, -0.1, 0.3]
    )
    # an unbalanced batch: the mean of group means, not of rows
    assert objectives.group_gaps(H[:5], IDS[:5], declared=THREE).tolist() == pytest.approx(
        [0.2 - 1 / 3, 0.3 - 1 / 3, 0.5 - 1 / 3]
    )


def test_worked_values() -> None:
    assert objectives.group_gap(H, IDS, declared=THREE).item() == pytest.approx(0.42 / 3)
    assert objectives.group_gap(H, IDS, norm="l1", declared=THREE).item() == pytest.approx(0.4)
    assert objectives.gee(H, IDS, declared=THREE).item() == pytest.approx(0.4 + 3 * 0.14)
    assert objectives.em(H, IDS, declared=THREE).item() == pytest.approx(0.4)
    # gaps of pair 0: -.2 0 .2; of pair 1: -.2 -.2 .4; products .04 0 .08
    pair_gap = objectives.pair_gap(H, IDS, pairs=PAIRS, declared=THREE)
    assert pair_gap.item() == pytest.approx(0.12)
    half = objectives.pair_gap(H, IDS, pairs=PAIRS, estimator="half_split", declared=THREE)
    assert half.item() == pytest.approx(0.12), "two pairs: each half is one of them"
    direct = objectives.direct_gap(H, IDS, answers=PAIRS, declared=THREE)
    assert direct.item() == pytest.approx((0.08 + 0.24) / 2)
    lagrangian = objectives.constrained(
        H, IDS, pairs=PAIRS, multiplier=(1.0, 0.5, -2.0), rho=4.0, declared=THREE
    )
    assert lagrangian.item() == pytest.approx(-0.2 - 0.05 - 0.6 + 2 * 0.12)
    with pytest.raises(DataError, match="3 groups need one multiplier each, not 2"):
        objectives.constrained(H, IDS, pairs=PAIRS, multiplier=0.3, declared=THREE)


entropies = st.lists(st.floats(0, 5), min_size=8, max_size=8)


@given(entropies, st.permutations(range(4)))
@settings(max_examples=50, deadline=None)
def test_renaming_the_groups_changes_no_loss(values: list[float], order: list[int]) -> None:
    h, ids = torch.tensor(values, dtype=torch.float64), torch.arange(8) % 4
    renamed = torch.tensor(order)[ids]
    names, pairs = ("a", "b", "c", "d"), torch.arange(8) // 4
    for loss in (objectives.group_gap, objectives.gee, objectives.em):
        expected = loss(h, ids, declared=names).item()
        assert loss(h, renamed, declared=names).item() == pytest.approx(expected, abs=1e-9)
    for estimator in ("u_statistic", "half_split"):
        found = [
            objectives.pair_gap(h, g, pairs=pairs, estimator=estimator, declared=names).item()
            for g in (ids, renamed)
        ]
        assert found[0] == pytest.approx(found[1], abs=1e-9)


@given(entropies, st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_a_shift_of_all_entropies_is_no_gap(values: list[float], shift: float) -> None:
    h, ids = torch.tensor(values, dtype=torch.float64), torch.arange(8) % 2
    for loss in (objectives.group_gap, objectives.pair_gap, objectives.direct_gap):
        assert loss(h + shift, ids).item() == pytest.approx(loss(h, ids).item(), abs=1e-8)
    assert objectives.constrained(h + shift, ids, multiplier=0.4).item() == pytest.approx(
        objectives.constrained(h, ids, multiplier=0.4).item(), abs=1e-7
    )
    assert objectives.em(h + shift, ids).item() == pytest.approx(
        objectives.em(h, ids).item() + shift
    )


@given(entropies)
@settings(max_examples=50, deadline=None)
def test_the_two_group_form_is_the_textbook_one(values: list[float]) -> None:
    """Against a float64 reference written out in numpy."""
    h = np.array(values).reshape(4, 2)
    d = h[:, 0] - h[:, 1]
    n, gap = 4, d.mean()
    unbiased = (d.sum() ** 2 - (d**2).sum()) / (n * (n - 1))
    tensor, ids = torch.from_numpy(h.ravel()), torch.arange(8) % 2
    pairs = torch.arange(8) // 2
    expected = {
        objectives.group_gap(tensor, ids): gap**2,
        objectives.group_gap(tensor, ids, norm="l1"): abs(gap),
        objectives.pair_gap(tensor, ids, pairs=pairs): unbiased,
        objectives.pair_gap(tensor, ids, pairs=pairs, estimator="half_split"): (
            d[::2].mean() * d[1::2].mean()
        ),
        objectives.direct_gap(tensor, ids, answers=pairs): (d**2).mean(),
        objectives.constrained(tensor, ids, pairs=pairs, multiplier=0.3, rho=7.0): (
            0.3 * gap + 3.5 * unbiased
        ),
    }
    for found, value in expected.items():
        assert found.item() == pytest.approx(value, abs=1e-9)


def test_the_half_split_has_no_variance_term() -> None:
    """With a true gap of 0 its mean is 0, that of the plain square Var/n."""
    rng = np.random.default_rng(1)
    h, ids = torch.from_numpy(rng.normal(1.0, 0.3, size=(1000, 16))), torch.arange(16) % 2
    found = np.array([objectives.pair_gap(row, ids, estimator="half_split").item() for row in h])
    assert abs(found.mean()) < 3 * found.std() / len(h) ** 0.5


def test_baselines_on_worked_values() -> None:
    # 6 and 3 nats over 6 + 4 tokens
    assert objectives.cda(torch.tensor([-6.0, -3.0]), torch.tensor([6, 4])).item() == pytest.approx(
        0.9
    )
    assert objectives.consistency(torch.tensor([0.2, 0.4]), scale=2).item() == pytest.approx(0.6)


def test_gradcheck_over_three_groups() -> None:
    def total(h: torch.Tensor) -> torch.Tensor:
        return (
            objectives.group_gap(h, IDS, declared=THREE)
            + objectives.gee(h, IDS, declared=THREE)
            + objectives.pair_gap(h, IDS, pairs=PAIRS, declared=THREE)
            + objectives.pair_gap(h, IDS, pairs=PAIRS, estimator="half_split", declared=THREE)
            + objectives.direct_gap(h, IDS, answers=PAIRS, declared=THREE)
            + objectives.constrained(
                h, IDS, pairs=PAIRS, multiplier=(0.1, 0.2, 0.3), declared=THREE
            )
        )

    assert torch.autograd.gradcheck(total, (H.clone().requires_grad_(),))
