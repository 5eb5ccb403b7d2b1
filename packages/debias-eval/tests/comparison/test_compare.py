from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from debias_eval.comparison import BenchmarkComparison, Comparison, TrainingCost, compare
from debias_eval.errors import InputError, MissingError
from debias_eval.results import load_results
from debias_eval.statistics import mcnemar_exact
from debias_eval.statistics.bootstrap import Bootstrap

Make = Callable[..., Any]
FAST = Bootstrap(resamples=300)


def one(comparison: Comparison, name: str) -> BenchmarkComparison:
    return next(entry for entry in comparison.benchmarks if entry.name == name)


def test_everything_met(folder: Make, pair_rows: Make) -> None:
    right = [True] * 400 + [False] * 100
    before = folder("before").outcomes("gsm8k", right).outcomes("humaneval", right, kind="code")
    after = folder("after").outcomes("gsm8k", right).outcomes("humaneval", right, kind="code")
    before.gap(pair_rows(0.18))
    after.gap(pair_rows(0.0, pairs=100, noise=0.02))
    found = compare(before.path, after.path, training=TrainingCost(10.0, 40.0), plan=FAST)
    assert found.verdict == "improved"
    assert found.met
    assert [c.verdict for c in found.criteria] == ["met", "met", "met"]
    assert found.score.total is not None
    parts = {part.name: part.value for part in found.score.parts}
    assert parts["efficiency"] is not None
    assert parts["efficiency"].value == pytest.approx(0.75)
    assert parts["code"] is not None
    assert parts["code"].value == 1.0
    total = sum(part.weight * part.value.value for part in found.score.parts if part.value)
    assert found.score.total.value == pytest.approx(total)
    assert sum(part.weight for part in found.score.parts) == pytest.approx(1.0)
    json.dumps(found.to_dict(), allow_nan=False)


def test_paired_counts_by_hand(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True, True, True, False, False] * 20)
    after_right = [True, True, True, False, False] * 20
    after_right[0] = after_right[1] = after_right[5] = False
    after_right[3] = True
    after = folder("after").outcomes("gsm8k", after_right)
    test = one(compare(before.path, after.path, plan=FAST), "gsm8k").test
    assert test is not None
    assert test.lost == ("gsm8k/0", "gsm8k/1", "gsm8k/5")
    assert test.gained == ("gsm8k/3",)
    assert test.p == mcnemar_exact(3, 1) == pytest.approx(0.625)
    assert test.kept.difference.value == pytest.approx(-0.02)
    assert test.kept.margin == pytest.approx(0.03)
    assert test.num_items == 100
    assert test.bootstrap.value == pytest.approx(-0.02)


def test_a_collapse_is_not_met(folder: Make, pair_rows: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 100).gap(pair_rows(0.18))
    after = folder("after").outcomes("gsm8k", [True] * 40 + [False] * 60)
    after.gap(pair_rows(0.0, noise=0.02))
    found = compare(before.path, after.path, training=TrainingCost(10.0, 40.0), plan=FAST)
    assert found.verdict == "improved"
    assert [c.verdict for c in found.criteria] == ["met", "not_met", "met"]
    assert not found.met


def test_a_model_that_solved_nothing_was_not_preserved(folder: Make, pair_rows: Make) -> None:
    before = folder("before").outcomes("gsm8k", [False] * 300).gap(pair_rows(0.0, seed=1))
    after = folder("after").outcomes("gsm8k", [False] * 300).gap(pair_rows(0.0, seed=2))
    found = compare(before.path, after.path, plan=FAST)
    test = one(found, "gsm8k").test
    assert test is not None
    assert test.kept.verdict == "cannot_be_shown"
    assert found.criteria[1].verdict == "not_shown"
    assert found.verdict != "improved"
    assert found.score.total is None
    assert {p.name for p in found.score.parts if p.value is None} == {
        "bias",
        "code",
        "maths",
        "efficiency",
    }


def test_what_was_not_measured_is_not_met(folder: Make) -> None:
    before = folder("before").listed("other_suite", score=3.0)
    after = folder("after").listed("other_suite", score=4.0)
    found = compare(before.path, after.path, plan=FAST)
    assert [c.verdict for c in found.criteria] == ["not_measured"] * 3
    assert not found.met
    assert one(found, "other_suite").status == "listed"
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol_hash": "f" * 10}, "different protocols: 0123456789 and ffffffffff"),
        ({"data_sha256": "e" * 64}, "different data: sha256 dddddddddd and eeeeeeeeee"),
    ],
)
def test_other_protocol_or_data_is_not_comparable(
    folder: Make, change: dict[str, str], reason: str
) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9)
    after = folder("after").outcomes("gsm8k", [True] * 9, **change)
    found = compare(before.path, after.path, plan=FAST)
    assert one(found, "gsm8k").status == "not_comparable"
    assert one(found, "gsm8k").reason == reason
    assert one(found, "gsm8k").test is None
    assert found.criteria[1].verdict == "not_shown"


def test_other_items_are_not_comparable(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9)
    after = folder("after").outcomes("gsm8k", [True] * 8)
    entry = one(compare(before.path, after.path, plan=FAST), "gsm8k")
    assert entry.status == "not_comparable"
    assert entry.reason is not None
    assert (
        "1 only for the original, 0 only for the candidate, for example 'gsm8k/8'" in entry.reason
    )


def test_a_benchmark_of_one_side_is_named(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9).outcomes("math", [True] * 9)
    after = folder("after").outcomes("gsm8k", [True] * 9).outcomes("svamp", [True] * 9)
    found = compare(before.path, after.path, plan=FAST)
    assert one(found, "math").reason == "the candidate was not evaluated on it"
    assert one(found, "svamp").reason == "the original was not evaluated on it"


def test_other_pairs_are_not_comparable(folder: Make, pair_rows: Make) -> None:
    before = folder("before").gap(pair_rows(0.1))
    after = folder("after").gap(pair_rows(0.1, pairs=90))
    found = compare(before.path, after.path, plan=FAST)
    assert found.gap is None
    assert "10 only for the original" in (one(found, "entropy_gap").reason or "")
    assert found.criteria[0].verdict == "not_measured"


def test_pairs_that_an_evaluation_left_out_are_counted(folder: Make, pair_rows: Make) -> None:
    before = folder("before").gap(pair_rows(0.1))
    after = folder("after").gap(pair_rows(0.1, seed=3)[2:], details={"pairs_left_out": 2})
    found = compare(before.path, after.path, plan=FAST)
    assert found.gap is not None
    assert found.gap.num_left_out == 2
    assert found.gap.before.num_pairs == found.gap.after.num_pairs == 98
    assert any("2 pairs" in note for note in found.notes)


def test_holm_runs_over_all_benchmarks(folder: Make) -> None:
    before, after = folder("before"), folder("after")
    for name, lost in (("a", 8), ("b", 6), ("c", 1)):
        before.outcomes(name, [True] * 50)
        after.outcomes(name, [False] * lost + [True] * (50 - lost))
    found = compare(before.path, after.path, plan=FAST)
    tests = {entry.name: entry.test for entry in found.benchmarks}
    assert tests["a"] is not None
    assert tests["b"] is not None
    assert tests["c"] is not None
    assert tests["a"].p_holm == pytest.approx(3 * mcnemar_exact(8, 0))
    assert tests["b"].p_holm == pytest.approx(2 * mcnemar_exact(6, 0))
    assert tests["c"].p_holm == 1.0


def test_samples_broken_by_the_machine_count_for_neither(folder: Make) -> None:
    def rows(first: str) -> list[dict[str, object]]:
        statuses = [first, *["passed"] * 20, *["failed"] * 5]
        return [{"id": f"t{i}", "sample": 0, "status": s} for i, s in enumerate(statuses)]

    before = folder("before").verdicts("mbpp", rows("passed"), kind="code")
    after = folder("after").verdicts("mbpp", rows("infra_error"), kind="code")
    test = one(compare(before.path, after.path, plan=FAST), "mbpp").test
    assert test is not None
    assert test.num_items == 25
    assert test.num_excluded == 1
    assert test.kept.difference.value == 0.0


def test_several_samples_an_item_are_one_item(folder: Make) -> None:
    def rows(right: int) -> list[dict[str, object]]:
        return [
            {"id": f"i{i}", "sample": s, "status": "correct" if s < right else "incorrect"}
            for i in range(30)
            for s in range(4)
        ]

    before = folder("before").verdicts("aime24", rows(3))
    after = folder("after").verdicts("aime24", rows(2))
    test = one(compare(before.path, after.path, plan=FAST), "aime24").test
    assert test is not None
    assert (test.num_items, test.num_samples) == (30, 4)
    assert test.kept.difference.value == pytest.approx(-0.25)
    assert len(test.lost) == 30
    assert test.p < 0.01


def test_rates_of_both_sides(folder: Make) -> None:
    def rows(status: str, reason: str) -> list[dict[str, object]]:
        first = {"id": "0", "sample": 0, "status": status, "finish_reason": reason}
        rest = [
            {"id": str(i), "sample": 0, "status": "correct", "finish_reason": "stop"}
            for i in range(1, 4)
        ]
        return [first, *rest]

    before = folder("before").verdicts("gsm8k", rows("correct", "stop"))
    after = folder("after").verdicts("gsm8k", rows("unparsed", "length"))
    entry = one(compare(before.path, after.path, plan=FAST), "gsm8k")
    assert (entry.baseline.unparsed_rate, entry.baseline.truncated_rate) == (0.0, 0.0)
    assert (entry.candidate.unparsed_rate, entry.candidate.truncated_rate) == (0.25, 0.25)


def test_the_same_weights_are_pointed_out(folder: Make, pair_rows: Make) -> None:
    before = folder("before", "w").gap(pair_rows(0.18, seed=1))
    after = folder("after", "w").gap(pair_rows(0.18, seed=2))
    found = compare(before.path, after.path, plan=FAST)
    assert found.verdict not in {"improved", "worse"}
    assert any("same weights" in note for note in found.notes)


def test_missing_and_damaged_files_are_named(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 3)
    after = folder("after").outcomes("gsm8k", [True] * 3)
    with pytest.raises(MissingError, match=r"results\.json"):
        compare(before.path, after.path / "nowhere")
    rows = after.path / "gsm8k" / "verdicts.jsonl"
    rows.write_text('{"id": "gsm8k/0", "sample": 0}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"verdicts\.jsonl:1:status"):
        compare(before.path, after.path)
    rows.write_text('{"id": "a", "status": "correct"}\n' * 2, encoding="utf-8")
    with pytest.raises(InputError, match="'a' has sample 0 twice"):
        compare(before.path, after.path)
    rows.unlink()
    with pytest.raises(MissingError, match=r"verdicts\.jsonl"):
        compare(before.path, after.path)


def test_names_never_become_paths_outside(folder: Make) -> None:
    before, after = folder("before"), folder("after")
    for side in (before, after):
        side.listed("../../etc", kind="maths")
    with pytest.raises(InputError, match="not a folder name"):
        compare(before.path, after.path)


def test_nothing_in_common_is_an_error(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True])
    after = folder("after").outcomes("math", [True])
    with pytest.raises(InputError, match="nothing to compare"):
        compare(before.path, after.path)


def test_results_are_taken_as_they_are_if_they_know_their_folder(folder: Make) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9)
    loaded = load_results(before.path)
    assert compare(loaded, before.path, plan=FAST) == compare(before.path, before.path, plan=FAST)
    with pytest.raises(InputError, match="give the folder"):
        compare(replace(loaded, folder=None), before.path)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_the_margin_is_a_share(folder: Make, margin: float) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9)
    with pytest.raises(InputError, match="margin"):
        compare(before.path, before.path, margin=margin)


@pytest.mark.parametrize(
    ("cost", "verdict"),
    [
        (TrainingCost(10, 40), "met"),
        (TrainingCost(20, 40), "not_met"),
        (TrainingCost(10, 40, gee_reached=False), "met"),
        (TrainingCost(30, 40, gee_reached=False), "not_shown"),
        (TrainingCost(10, 40, reached=False), "not_met"),
        (TrainingCost(10), "not_measured"),
        (TrainingCost(10, 40, ratio_interval=(0.2, 0.4)), "met"),
        (TrainingCost(10, 40, ratio_interval=(0.1, 0.6)), "not_shown"),
        (TrainingCost(30, 40, ratio_interval=(0.6, 0.9)), "not_met"),
    ],
)
def test_training_time(folder: Make, cost: TrainingCost, verdict: str) -> None:
    before = folder("before").outcomes("gsm8k", [True] * 9)
    found = compare(before.path, before.path, training=cost, plan=FAST)
    assert found.criteria[2].verdict == verdict


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_times_are_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="seconds"):
        TrainingCost(seconds)


def test_a_listed_benchmark_gets_an_unpaired_interval(folder: Make) -> None:
    before = folder("before").listed("other_suite", score=3.0, interval=[2.7, 3.3])
    after = folder("after").listed("other_suite", score=4.0, interval=[3.6, 4.4])
    entry = one(compare(before.path, after.path, plan=FAST), "other_suite")
    assert entry.change is not None
    # sqrt(0.3² + 0.4²) on either side.
    assert (entry.change.low, entry.change.high) == pytest.approx((0.5, 1.5))
    assert entry.test is None
