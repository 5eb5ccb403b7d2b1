"""Token entropy: values by hand, a float64 reference, gradients, properties."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from debias_core.errors import DataError
from debias_core.scoring.entropy import mean_per_sample, token_entropy, token_kl

LOGITS = hnp.arrays(np.float64, (3, 7), elements=st.floats(-30, 30))


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([0.0, 0.0, 0.0, 0.0], math.log(4)),
        ([0.0, -math.inf], 0.0),
        ([1e4, 0.0, 0.0], 0.0),
        ([math.log(3), 0.0], -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))),
        ([-1e4, -1e4], math.log(2)),
    ],
)
def test_values_by_hand(logits: list[float], expected: float) -> None:
    got = token_entropy(torch.tensor([logits]))
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(expected, abs=1e-6)


def test_temperature_divides_the_logits() -> None:
    # softmax([ln 9, 0] / 2) = (3/4, 1/4)
    got = token_entropy(torch.tensor([math.log(9), 0.0]), temperature=2.0)
    assert got.item() == pytest.approx(0.5623351, abs=1e-6)
    with pytest.raises(DataError, match="temperature must be above 0"):
        token_entropy(torch.zeros(2), temperature=0.0)


def test_half_precision_logits_are_computed_in_float32() -> None:
    logits = torch.randn(5, 1000, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = token_entropy(logits.double())
    assert token_entropy(logits).dtype == torch.float32
    torch.testing.assert_close(token_entropy(logits).double(), exact, atol=2e-6, rtol=0)


@settings(max_examples=50, deadline=None)
@given(LOGITS)
def test_against_scipy_and_bounds(logits: np.ndarray) -> None:
    got = token_entropy(torch.from_numpy(logits)).numpy()
    p = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(got, scipy_entropy(p, axis=-1), atol=1e-9)
    assert (got >= -1e-12).all()
    assert (got <= math.log(7) + 1e-12).all()
    shifted = token_entropy(torch.from_numpy(logits + 11.0)).numpy()
    np.testing.assert_allclose(got, shifted, atol=1e-9)


def test_gradients() -> None:
    z = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    q = torch.randn(4, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t: token_entropy(t, temperature=1.7), (z,))
    assert torch.autograd.gradcheck(lambda t: token_kl(t, q), (z,))


def test_kl_by_hand() -> None:
    p, q = torch.tensor([math.log(3), 0.0]), torch.tensor([0.0, 0.0])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert token_kl(p, q).item() == pytest.approx(expected, abs=1e-6)
    assert token_kl(p, p + 3).item() == pytest.approx(0.0, abs=1e-7)


def test_the_mean_is_per_answer_not_per_token() -> None:
    values = torch.tensor([1.0, 3.0, 10.0])
    got = mean_per_sample(values, torch.tensor([0, 0, 1]), 2)
    assert got.tolist() == [2.0, 10.0]
    with pytest.raises(DataError, match="sample 2 has no answer token"):
        mean_per_sample(values, torch.tensor([0, 0, 1]), 3)
