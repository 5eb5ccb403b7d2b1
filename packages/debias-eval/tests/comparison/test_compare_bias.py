"""Bias suites of two models: paired, in the Holm family, and never "improved" without proof."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from debias_eval import TaskSpec, evaluate
from debias_eval.backends.scorer import ScorerBackend
from debias_eval.comparison import BenchmarkComparison, ClusteredTest, compare
from debias_eval.errors import InputError, MissingError
from debias_eval.report import NamedComparison, ReportInput, write_report
from debias_eval.statistics import mcnemar_exact
from debias_eval.statistics.bootstrap import Bootstrap

Make = Callable[..., Any]
FAST = Bootstrap(resamples=400)


def crows(prefers: Sequence[bool]) -> list[dict[str, object]]:
    return [
        {
            "id": f"crows/{number}",
            "sample": 0,
            "cluster_id": f"crows/{number}",
            "direction": "stereo",
            "status": "scored",
            "difference": 1.0,
            "stereotype": value,
        }
        for number, value in enumerate(prefers)
    ]


def suite(rows: Sequence[dict[str, object]], task: str = "crows_pairs") -> dict[str, object]:
    share = sum(bool(row.get("stereotype")) for row in rows) / max(len(rows), 1)
    return {
        "kind": "bias",
        "higher_is_better": None,
        "score": 100 * share,
        "details": {"task": task},
    }


def run(folder: Make, before: Sequence[bool], after: Sequence[bool]) -> BenchmarkComparison:
    paths = []
    for name, prefers in (("before", before), ("after", after)):
        rows = crows(prefers)
        paths.append(folder(name).verdicts("crows_pairs", rows, **suite(rows)).path)
    return compare(*paths, plan=FAST).benchmarks[0]


def paired(entry: BenchmarkComparison) -> ClusteredTest:
    assert entry.bias_test is not None
    return entry.bias_test


def test_a_paired_change_by_hand(folder: Make) -> None:
    """80 of 100 before, the first 25 of them given up after: 55."""
    before = [True] * 80 + [False] * 20
    entry = run(folder, before, [False] * 25 + [True] * 55 + [False] * 20)
    found = paired(entry)
    assert entry.status == "compared"
    assert entry.test is None
    assert found.headline.before.value == 80.0
    assert found.headline.difference.value == pytest.approx(-25.0)
    assert found.headline.distance.value == pytest.approx(5.0 - 30.0)
    assert found.headline.difference.high < 0
    assert found.p < 0.01
    assert found.verdict == "improved"
    assert (found.num_items, found.num_clusters, found.num_left_out) == (100, 100, 0)
    json.dumps(entry.to_dict(), allow_nan=False)


def test_the_p_is_mcnemars_for_single_items(folder: Make) -> None:
    found = paired(run(folder, [True] * 8 + [False] * 2, [False] * 3 + [True] * 5 + [False] * 2))
    assert found.p == pytest.approx(mcnemar_exact(3, 0), abs=0.08)
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (80, 80, "inconclusive"),  # the same
        (55, 80, "worse"),
        (20, 45, "improved"),  # from below
        (80, 20, "inconclusive"),  # as far from 50 on the other side
        (54, 50, "inconclusive"),  # could not be told from 50
    ],
)
def test_verdicts(folder: Make, before: int, after: int, verdict: str) -> None:
    sides = [[True] * k + [False] * (100 - k) for k in (before, after)]
    found = paired(run(folder, *sides))
    assert found.verdict == verdict
    if verdict != "inconclusive":
        assert found.headline.distance.excludes(0.0)


def test_holm_runs_over_capability_and_bias_alike(folder: Make) -> None:
    before, after = folder("before"), folder("after")
    rows = crows([True] * 70 + [False] * 30), crows([False] * 9 + [True] * 61 + [False] * 30)
    for side, own in ((before, rows[0]), (after, rows[1])):
        side.verdicts("crows_pairs", own, **suite(own))
    before.outcomes("gsm8k", [True] * 100)
    after.outcomes("gsm8k", [False] * 2 + [True] * 98)
    alone, other = compare(before.path, after.path, plan=FAST).benchmarks
    found = paired(alone)
    assert found.p_holm == pytest.approx(2 * found.p)
    assert other.test is not None
    assert other.test.p_holm == pytest.approx(mcnemar_exact(2, 0))
    assert found.verdict == "improved"
    # Among twenty benchmarks more, the same change is no claim any longer.
    for number in range(20):
        for side in (before, after):
            side.outcomes(f"maths{number}", [True] * 10)
    crowded = paired(compare(before.path, after.path, plan=FAST).benchmarks[0])
    assert crowded.headline.distance.high < 0
    assert crowded.p_holm == pytest.approx(22 * crowded.p)
    assert crowded.p_holm > 0.05
    assert crowded.verdict == "inconclusive"


def test_a_gap_takes_its_share_of_the_level(folder: Make, pair_rows: Make) -> None:
    """All claims of a report together stay below 5%: 1% is the gap's own, the suites share 4%."""
    levels = {}
    for has_gap in (False, True):
        rows, paths = crows([True] * 70 + [False] * 30), []
        for name in ("before", "after"):
            side = folder(f"{name}{has_gap}").verdicts("crows_pairs", rows, **suite(rows))
            paths.append((side.gap(pair_rows(0.1)) if has_gap else side).path)
        found = compare(*paths, plan=FAST)
        assert (found.gap is not None) == has_gap
        levels[has_gap] = paired(found.benchmarks[0]).level
    assert levels == {False: pytest.approx(0.05), True: pytest.approx(0.04)}


def test_items_that_one_model_could_not_be_scored_on(folder: Make) -> None:
    rows = crows([True, False] * 20), crows([True, False] * 20)
    rows[1][0]["status"] = "too_long"
    paths = [
        folder(name).verdicts("crows_pairs", own, **suite(own)).path
        for name, own in zip(("before", "after"), rows, strict=True)
    ]
    found = paired(compare(*paths, plan=FAST).benchmarks[0])
    assert (found.num_items, found.num_left_out) == (39, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.pop(), "1 only for the original, 0 only for the candidate"),
        (lambda rows: rows[0].update(cluster_id="x"), "another cluster"),
        (lambda rows: [row.update(status="tied") for row in rows], "no item could be scored"),
    ],
)
def test_what_is_not_comparable(
    folder: Make, change: Callable[[list[dict[str, object]]], object], reason: str
) -> None:
    rows = crows([True, False] * 5), crows([True, False] * 5)
    change(rows[1])
    paths = [
        folder(name).verdicts("crows_pairs", own, **suite(own)).path
        for name, own in zip(("before", "after"), rows, strict=True)
    ]
    entry = compare(*paths, plan=FAST).benchmarks[0]
    assert entry.status == "not_comparable"
    assert reason in (entry.reason or "")
    assert entry.bias_test is None


def test_a_side_without_a_score_is_no_change(folder: Make) -> None:
    rows = crows([True, False] * 5)
    sides = [folder(name) for name in ("before", "after")]
    sides[0].verdicts("crows_pairs", rows, **suite(rows))
    sides[1].verdicts("crows_pairs", rows, **{**suite(rows), "score": None})
    entry = compare(sides[0].path, sides[1].path, plan=FAST).benchmarks[0]
    assert entry.reason == "one of the models has no score on it"


def test_damaged_verdicts_are_named(folder: Make) -> None:
    rows = crows([True, False] * 5)
    before, after = (
        folder(name).verdicts("crows_pairs", rows, **suite(rows)) for name in ("before", "after")
    )
    path = after.path / "crows_pairs" / "verdicts.jsonl"

    def write(own: list[dict[str, object]]) -> None:
        path.write_text("".join(json.dumps(row) + "\n" for row in own))

    write([{key: value for key, value in row.items() if key != "stereotype"} for row in rows])
    with pytest.raises(InputError, match="not verdicts of this benchmark: KeyError"):
        compare(before.path, after.path)
    write([*rows, rows[0]])
    with pytest.raises(InputError, match="'crows/0' has sample 0 twice"):
        compare(before.path, after.path)
    write([{"id": "a"}])
    with pytest.raises(InputError, match=r"verdicts\.jsonl:1:status: is missing"):
        compare(before.path, after.path)
    write([])
    with pytest.raises(InputError, match="holds no rows"):
        compare(before.path, after.path)
    path.unlink()
    with pytest.raises(MissingError, match=r"verdicts\.jsonl"):
        compare(before.path, after.path)


def test_a_suite_that_is_not_installed_here_is_listed(folder: Make) -> None:
    rows = crows([True, False] * 5)
    paths = [
        folder(name).verdicts("other", rows, **suite(rows, "no_such_task")).path
        for name in ("before", "after")
    ]
    assert compare(*paths, plan=FAST).benchmarks[0].status == "listed"


def bbq(chosen: str, size: int = 30) -> list[dict[str, object]]:
    """Ambiguous questions of 30 templates, all answered alike."""
    return [
        {
            "id": f"bbq/{number}",
            "sample": 0,
            "cluster_id": f"template {number}",
            "condition": "ambig",
            "status": "scored",
            "chosen": 0,
            "unknown": chosen == "unknown",
            "right": chosen == "unknown",
            "biased": None if chosen == "unknown" else chosen == "biased",
        }
        for number in range(size)
    ]


def test_further_scores_are_shown_with_their_intervals(folder: Make) -> None:
    rows = bbq("biased"), [*bbq("biased")[:10], *bbq("unknown")[10:]]
    paths = [
        folder(name).verdicts("bbq", own, **suite(own, "bbq")).path
        for name, own in zip(("before", "after"), rows, strict=True)
    ]
    found = paired(compare(*paths, plan=FAST).benchmarks[0])
    # s_AMB: (1 - 0)·1 before, (1 - 20/30)·1 after.
    assert found.headline.before.value == 1.0
    assert found.headline.after.value == pytest.approx(1 / 3)
    assert found.verdict == "improved"
    accuracy = found.others["accuracy_ambiguous"]
    assert accuracy.difference.value == pytest.approx(20 / 30)
    assert accuracy.difference.low < 20 / 30 < accuracy.difference.high


def test_the_report_shows_the_paired_change(folder: Make, tmp_path: Path) -> None:
    rows = crows([True] * 80 + [False] * 20), crows([False] * 25 + [True] * 55 + [False] * 20)
    paths = [
        folder(name).verdicts("crows_pairs", own, **suite(own)).path
        for name, own in zip(("before", "after"), rows, strict=True)
    ]
    comparison = compare(*paths, plan=FAST)
    named = NamedComparison("debiased", comparison, is_primary=True)
    written = write_report(ReportInput("T", "original", (named,)), tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "## Bias suites" in text
    assert "improved · distance to 50: −25.000 \\[" in text
    assert "paired" in text
    assert "Bias suites: less bias on crows\\_pairs." in text
    page = written.html.read_text(encoding="utf-8")
    assert "Bias suites, paired" in page
    assert "every candidate" not in page
    others = ReportInput("T", "original", (named, NamedComparison("again", comparison)))
    several = write_report(others, tmp_path / "several")
    assert "every candidate" in several.html.read_text(encoding="utf-8")
    table = several.markdown.read_text(encoding="utf-8").split("| Suite |")[1]
    assert "55.000 · \\[" in table
    assert table.count("improved") >= 2


def test_two_evaluations_end_to_end(tmp_path: Path) -> None:
    """One oracle prefers every stereotype, the other one in two."""
    data = tmp_path / "crows.csv"
    lines = [f"{n},more {n},less {n},stereo,gender" for n in range(40)]
    data.write_text(
        "\n".join([",sent_more,sent_less,stereo_antistereo,bias_type", *lines]), encoding="utf-8"
    )

    def even(_: str, text: str) -> float:
        word, number = text.split()
        return -1.0 if (word == "more") == (int(number) % 2 == 0) else -2.0

    scorers = {
        "before": ScorerBackend(lambda _, text: -1.0 if "more" in text else -2.0, "before"),
        "after": ScorerBackend(even, "after"),
    }
    results = [
        evaluate("m", [TaskSpec("crows_pairs", data=data)], backend=backend, out=tmp_path / name)
        for name, backend in scorers.items()
    ]
    found = paired(compare(*results, plan=FAST).benchmarks[0])
    assert (found.headline.before.value, found.headline.after.value) == (100.0, 50.0)
    assert found.verdict == "improved"
    assert found.headline.distance.interval.excludes(0.0)
