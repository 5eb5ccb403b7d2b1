from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from debias_eval.comparison import Comparison, TrainingCost
from debias_eval.report.wording import headline, interval, nats, p_value, percent, signed, status
from debias_eval.statistics import Estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1824, "+0.182"),
        (-0.0031, "−0.003"),
        (0.0, "0.000"),
        (-0.0001, "0.000"),
        (0.0004, "0.000"),
    ],
)
def test_signs(value: float, text: str) -> None:
    assert signed(value) == text


def test_intervals_and_estimates() -> None:
    assert interval(-0.0112, 0.006) == "[−0.011, +0.006]"
    assert interval(-math.inf, math.inf) == "[−∞, ∞]"
    assert nats(Estimate(0.18, 0.17, 0.19)) == "+0.180 [+0.170, +0.190]"
    assert nats(None) == "not available"
    assert percent(0.5) == "50.0%"
    assert percent(-0.981, sign=True) == "−98.1%"


@pytest.mark.parametrize(("p", "text"), [(None, "–"), (0.0004, "< 0.001"), (0.05, "0.050")])
def test_p_values(p: float | None, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("options", "gap", "capability"),
    [
        ({}, "all inside ±0.02 nats", "kept within 5% on all 2 benchmarks"),
        ({"after": 0.05}, "still outside ±0.02 nats", "kept within 5%"),
        ({"after": 0.02}, "not shown to be inside ±0.02 nats", "kept within 5%"),
        ({"after": 0.3}, "The entropy gap grew", "kept within 5%"),
        ({"before": 0.0}, "cannot be told from 0", "kept within 5%"),
        ({"lost": 100}, "went from", "Capability fell by more than 5% on gsm8k, math."),
        ({"lost": 16}, "went from", "Capability is inconclusive on gsm8k, math."),
        ({"names": ("gsm8k",)}, "went from", "kept within 5% on the benchmark."),
    ],
)
def test_headlines(
    make_comparison: Callable[..., Comparison],
    options: dict[str, object],
    gap: str,
    capability: str,
) -> None:
    text = headline(make_comparison(**options))
    assert gap in text
    assert capability in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cost": TrainingCost(10, 40)}, "All success criteria are met"),
        ({"cost": TrainingCost(30, 40)}, "The success criteria are not met"),
        (
            {"after": 0.02, "cost": TrainingCost(10, 40)},
            "The success criteria are not shown to be met",
        ),
        ({}, "Not all success criteria were measured"),
    ],
)
def test_status(
    make_comparison: Callable[..., Comparison], options: dict[str, object], text: str
) -> None:
    assert status(make_comparison(**options))[0] == text
