"""Reports made of comparisons that were put together in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from debias_eval.comparison import BenchmarkComparison, Comparison, GapComparison, TrainingCost
from debias_eval.comparison.benchmarks import Side
from debias_eval.comparison.criteria import (
    capability_criterion,
    gap_criterion,
    training_criterion,
)
from debias_eval.comparison.paired import PairedTest
from debias_eval.comparison.score import score
from debias_eval.report import NamedComparison, ReportInput
from debias_eval.results import ModelInfo
from debias_eval.statistics import (
    PairEntropies,
    cluster_bootstrap,
    compare_gaps,
    gap_statistics,
    non_inferiority,
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs chromium, playwright and axe")


def pairs(gap: float, seed: int) -> list[PairEntropies]:
    rng = np.random.default_rng(seed)
    female = 1 + gap / 2 + rng.normal(0, 0.05, (80, 2))
    male = 1 - gap / 2 + rng.normal(0, 0.05, (80, 2))
    return [
        PairEntropies(f"p{i}", f"c{i}", tuple(f), tuple(m), gap / 2)
        for i, (f, m) in enumerate(zip(female.tolist(), male.tolist(), strict=True))
    ]


def benchmark(name: str, lost: int, *, base: int = 400, n: int = 500) -> BenchmarkComparison:
    before = np.array([1.0] * base + [0.0] * (n - base))
    after = before.copy()
    after[:lost] = 0.0
    test = PairedTest(
        kept=non_inferiority(before, after),
        bootstrap=cluster_bootstrap(after - before, resamples=200),
        p=0.5,
        p_holm=1.0,
        gained=(),
        lost=tuple(f"{name}/{i}" for i in range(lost)),
        num_items=n,
        num_samples=1,
        num_excluded=0,
    )
    return BenchmarkComparison(
        name=name,
        kind="maths",
        metric="accuracy",
        higher_is_better=True,
        status="compared",
        reason=None,
        baseline=Side(base / n, (0.7, 0.9), 0.0, 0.01),
        candidate=Side((base - lost) / n, (0.7, 0.9), 0.02, None),
        test=test,
        protocol_hash="0123456789",
    )


@pytest.fixture
def make_comparison() -> Callable[..., Comparison]:
    def make(
        before: float = 0.18,
        after: float = 0.0,
        *,
        lost: int = 0,
        base: int = 400,
        names: tuple[str, ...] = ("gsm8k", "math"),
        cost: TrainingCost | None = None,
    ) -> Comparison:
        first, second = pairs(before, 1), pairs(after, 2)
        details = {
            "groups": {
                "female": {"answer_tokens": 41.25, "eos_rate": 0.97, "truncated_rate": 0.03},
                "male": {"answer_tokens": 38.5, "eos_rate": None, "truncated_rate": 0.02},
            },
            "null_rows": {
                "a_a": {"gap": {"value": -0.0031, "low": -0.0112, "high": 0.0061}},
                "shuffled": {"gap": {"value": 0.004, "low": None, "high": None}},
            },
        }
        gap = GapComparison(
            before=gap_statistics(first, resamples=300),
            after=gap_statistics(second, resamples=300),
            change=compare_gaps(first, second, resamples=300),
            details_before=details,
            details_after=details,
        )
        benchmarks = tuple(benchmark(name, lost, base=base) for name in names)
        return Comparison(
            baseline=ModelInfo("base", "a" * 64, "t" * 64),
            candidate=ModelInfo("candidate", "b" * 64, "t" * 64),
            gap=gap,
            benchmarks=benchmarks,
            criteria=(
                gap_criterion(gap.after.gap, 0.02),
                capability_criterion(benchmarks, 0.05),
                training_criterion(cost),
            ),
            score=score(gap.change, benchmarks, cost),
            training=cost,
            margin=0.05,
            gap_margin=0.02,
            notes=gap.change.notes,
        )

    return make


@pytest.fixture
def make_report(make_comparison: Callable[..., Comparison]) -> Callable[..., ReportInput]:
    def make(primary: Comparison | None = None, **changes: object) -> ReportInput:
        good = primary or make_comparison(cost=TrainingCost(10.0, 40.0))
        values: dict[str, object] = {
            "title": "A report",
            "baseline_name": "the original",
            "candidates": (
                NamedComparison("gee", make_comparison(after=0.05, cost=TrainingCost(40, 40))),
                NamedComparison("constrained", good, {"steps": "25"}, is_primary=True),
                NamedComparison("pure", make_comparison(lost=200, cost=TrainingCost(6, 40))),
            ),
            "notes": ("A note.",),
            "provenance": {"seed": "0"},
            **changes,
        }
        return ReportInput(**values)  # type: ignore[arg-type] - changes are the tests' own

    return make
