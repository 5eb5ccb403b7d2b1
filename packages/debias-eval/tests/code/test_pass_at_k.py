from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_eval.code.pass_at_k import pass_at_k


@given(st.integers(1, 60), st.data())
def test_equals_the_definition(n, data):
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact), abs=1e-12)


def test_one_sample_is_the_share_that_passed():
    assert pass_at_k(4, 1, 1) == pytest.approx(0.25)


@pytest.mark.parametrize(("n", "c", "k"), [(1, 1, 10), (5, 6, 1), (5, -1, 1), (5, 2, 0)])
def test_no_estimate_without_enough_samples(n, c, k):
    with pytest.raises(ValueError, match="sample"):
        pass_at_k(n, c, k)
