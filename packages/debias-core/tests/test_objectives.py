"""Objectives: worked values, gradients, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from debias_core import objectives
from debias_core.errors import DataError

H = torch.tensor([0.5, 0.1, 0.7, 0.3], dtype=torch.float64)
GROUPS = ["female", "male", "female", "male"]
PAIRS = torch.tensor([0, 0, 1, 1])


def test_the_gap_is_female_minus_male() -> None:
    assert objectives.signed_gap(H, GROUPS).item() == pytest.approx(0.4)
    assert objectives.signed_gap(H, torch.tensor([0, 1, 0, 1])).item() == pytest.approx(0.4)
    assert objectives.signed_gap(H, ["male", "female"] * 2).item() == pytest.approx(-0.4)


def test_worked_values() -> None:
    assert objectives.group_gap(H, GROUPS).item() == pytest.approx(0.16)
    assert objectives.group_gap(H, GROUPS, norm="l1", scale=2).item() == pytest.approx(0.8)
    # H = 0.4; (0.6 - 0.4)^2 + (0.2 - 0.4)^2 = 0.08
    assert objectives.gee(H, GROUPS).item() == pytest.approx(0.4 + 3 * 0.08)
    assert objectives.em(H, GROUPS).item() == pytest.approx(0.4)
    # d = 0.4, 0.4: ((0.8)^2 - 0.32) / 2
    assert objectives.pair_gap(H, GROUPS, pairs=PAIRS).item() == pytest.approx(0.16)
    assert objectives.constrained(
        H, GROUPS, pairs=PAIRS, multiplier=0.5, rho=20.0
    ).item() == pytest.approx(0.5 * 0.4 + 10 * 0.16)
    # two answers, each under a female and a male prompt: differences 0.4, 0.4
    assert objectives.direct_gap(H, GROUPS, answers=PAIRS).item() == pytest.approx(0.16)
    assert objectives.direct_gap(H, GROUPS).item() == pytest.approx(0.16)
    assert objectives.constrained(H, GROUPS).item() == pytest.approx(40 * 0.16)


def test_pairs_are_averaged_over_their_samples() -> None:
    h = torch.tensor([1.0, 3.0, 1.0, 0.0, 0.0, 4.0])
    groups = ["female", "female", "male", "female", "male", "male"]
    pairs = torch.tensor([0, 0, 0, 1, 1, 1])
    assert objectives.pair_differences(h, groups, pairs=pairs).tolist() == [1.0, -2.0]


def test_pair_gap_has_no_variance_term() -> None:
    """With a true gap of 0 its mean is 0; that of the plain square is Var/n."""
    rng = np.random.default_rng(0)
    h = torch.from_numpy(rng.normal(1.0, 0.3, size=(4000, 16)))
    groups = ["female", "male"] * 8
    plain = np.mean([objectives.group_gap(row, groups).item() for row in h])
    unbiased = np.array([objectives.pair_gap(row, groups).item() for row in h])
    assert plain == pytest.approx(2 * 0.09 / 8, rel=0.1)
    assert abs(unbiased.mean()) < 3 * unbiased.std() / len(h) ** 0.5


def test_a_swap_of_the_labels_flips_the_gap_and_keeps_the_losses() -> None:
    swapped = ["male", "female"] * 2
    for loss in (objectives.group_gap, objectives.gee, objectives.pair_gap, objectives.em):
        assert loss(H, GROUPS).item() == pytest.approx(loss(H, swapped).item())


@pytest.mark.parametrize(
    "loss",
    [
        lambda h: objectives.group_gap(h, GROUPS),
        lambda h: objectives.gee(h, GROUPS),
        lambda h: objectives.em(h, GROUPS),
        lambda h: objectives.pair_gap(h, GROUPS, pairs=PAIRS),
        lambda h: objectives.direct_gap(h, GROUPS, answers=PAIRS),
        lambda h: objectives.constrained(h, GROUPS, pairs=PAIRS, multiplier=-0.3, rho=5.0),
    ],
)
def test_gradcheck(loss: object) -> None:
    assert torch.autograd.gradcheck(loss, (H.clone().requires_grad_(),))


def test_refusals() -> None:
    with pytest.raises(DataError, match="no sample of group 'female'"):
        objectives.group_gap(H, ["male"] * 4)
    with pytest.raises(DataError, match="'other' is not one of the declared groups"):
        objectives.gee(H, ["male", "female", "male", "other"])
    with pytest.raises(DataError, match="group id 2"):
        objectives.gee(H, torch.tensor([0, 1, 2, 1]))
    with pytest.raises(DataError, match="4 entropies|group labels"):
        objectives.em(H, ["male", "female"])
    with pytest.raises(DataError, match="at least 2 pairs"):
        objectives.pair_gap(H[:2], GROUPS[:2])
    with pytest.raises(DataError, match="pair 1 lacks one side"):
        objectives.pair_gap(H, GROUPS, pairs=torch.tensor([0, 0, 1, 0]))
