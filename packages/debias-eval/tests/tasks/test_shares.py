"""The share of answers that passed, and what interval goes with it."""

import pytest

from debias_eval import GradeSettings
from debias_eval.jsonl import Row
from debias_eval.results import Metrics
from debias_eval.statistics import wilson_interval
from debias_eval.tasks.generation import share_metrics


def metrics(*items: str) -> Metrics:
    """Metrics of one text an item: `+` passed, `-` failed, `x` could not be judged."""
    status = {"+": "passed", "-": "failed", "x": "gold_error"}
    rows: list[Row] = [
        {"id": str(item), "sample": sample, "status": status[sign]}
        for item, signs in enumerate(items)
        for sample, sign in enumerate(signs)
    ]
    return share_metrics(rows, passed="passed", settings=GradeSettings(resamples=200))


@pytest.mark.parametrize(
    ("items", "score", "solved"),
    [
        (("+", "-", "-", "x"), 1 / 3, (1, 3)),
        (("--", "--", "--"), 0.0, (0, 3)),  # three items, however many answers each
        (("++++", "++"), 1.0, (2, 2)),
    ],
)
def test_wilson_where_items_show_no_spread(
    items: tuple[str, ...], score: float, solved: tuple[int, int]
) -> None:
    found = metrics(*items)
    bounds = wilson_interval(*solved)
    assert found.score == pytest.approx(score)
    assert found.interval == pytest.approx((bounds.low, bounds.high))


def test_a_bootstrap_over_items_where_each_has_several_answers() -> None:
    found = metrics("++++", "+-+-", "----", "+---")
    assert found.score == pytest.approx((1 + 0.5 + 0 + 0.25) / 4)
    assert found.interval is not None
    assert found.interval[0] < found.score < found.interval[1]


def test_nothing_judged_is_no_score() -> None:
    found = metrics("xx", "x")
    assert (found.score, found.interval, found.n) == (None, None, 0)
