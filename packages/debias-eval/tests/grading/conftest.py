"""Shared by the tests of grading."""

from __future__ import annotations

import pytest

from debias_eval.grading.workers import warm_up


@pytest.fixture(scope="session", autouse=True)
def _symbolic_workers_are_there() -> None:
    """The first comparison of a fresh environment waits for sympy to be compiled."""
    warm_up()
