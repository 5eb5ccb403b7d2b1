"""The statistics of a card against values worked out by hand or known from tables."""

from __future__ import annotations

import math

import pytest

from debias_data.statistics import association, chi_square_tail, quantiles, wilson


@pytest.mark.parametrize(
    ("statistic", "freedom", "tail"),
    [
        (3.841458821, 1, 0.05),
        (5.991464547, 2, 0.05),
        (7.814727903, 3, 0.05),
        (11.07049769, 5, 0.05),
    ],
)
def test_chi_square_critical_values(statistic, freedom, tail):
    assert chi_square_tail(statistic, freedom) == pytest.approx(tail, abs=1e-9)


def test_association_of_a_two_by_two_table():
    rows = ["a"] * 30 + ["b"] * 30
    columns = ["x"] * 20 + ["y"] * 10 + ["x"] * 10 + ["y"] * 20
    found = association(rows, columns)
    assert found["chi_square"] == pytest.approx(20 / 3, abs=1e-6)
    assert found["cramers_v"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["p"] == pytest.approx(math.erfc(math.sqrt(10 / 3)), abs=1e-9)


def test_association_with_one_column_is_none():
    assert association(["a", "b"], ["x", "x"])["cramers_v"] == 0.0


def test_wilson_of_a_known_case():
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


def test_quantiles():
    found = quantiles([4.0, 1.0, 3.0, 2.0])
    assert (found["mean"], found["q00"], found["q50"], found["q100"]) == (2.5, 1.0, 2.0, 4.0)
