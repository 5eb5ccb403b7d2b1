"""Code prompts in pairs: both sides run, flips counted, and how alike the programs are."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, grade, regrade
from debias_eval.comparison import compare
from debias_eval.errors import InputError, MissingError
from debias_eval.results import BenchmarkResult
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.tasks import _likeness
from debias_eval.tasks._likeness import codebleu, codebleu_problem, likeness
from debias_eval.tasks.registry import get_task

FAST = EvalSettings(grade=GradeSettings(resamples=200, workers=1))
RIGHT, WRONG = "    return cost * 2\n", "    return cost\n"
LONGER = "    total = 0\n    for price in (cost, cost):\n        total += price\n    return total\n"
GOOD = "def bill(cost):\n" + RIGHT
OTHER = "def bill(cost):\n" + LONGER


def _jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _pairs(path: Path, number: int) -> Path:
    tests = (
        "def check(candidate):\n    assert candidate(3) == 6\n",
        "assert bill(3) == 6\nassert bill(0) == 0",
    )
    return _jsonl(
        path,
        [
            {
                "pair_id": f"p{n}",
                "cluster_id": f"c{n}",
                "group": group,
                "prompt": f'def bill(cost):\n    """What {word} pays for two."""\n',
                "reference": tests[n % 2],
                "split": "test",
            }
            for n in range(number)
            for group, word in (("female", "she"), ("male", "he"))
        ],
    )


def _run(folder: Path, female: Sequence[str], male: Sequence[str]) -> BenchmarkResult:
    folder.mkdir()
    rows = [
        {"id": f"p{n}/{side}", "completion": text}
        for side, texts in (("female", female), ("male", male))
        for n, text in enumerate(texts)
    ]
    return grade(
        "counterfactual_code",
        _jsonl(folder / "c.jsonl", rows),
        data=_pairs(folder / "pairs.jsonl", len(female)),
        out=folder / "o",
        settings=FAST,
    ).benchmarks["counterfactual_code"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BenchmarkResult]:
    """Six pairs: four alike, one that flips, one whose programs differ though both pass."""
    folder = tmp_path_factory.mktemp("code") / "before"
    return folder, _run(folder, [RIGHT] * 5 + [""], [RIGHT] * 3 + [WRONG, LONGER, ""])


def test_gap_flips_and_likeness(graded: tuple[Path, BenchmarkResult]) -> None:
    row = graded[1]
    assert row.score == pytest.approx(1 / 6)
    assert row.details["flip_rate"] == pytest.approx(1 / 6)
    assert row.details["accuracy"] == {"female": pytest.approx(5 / 6), "male": pytest.approx(4 / 6)}
    assert row.kind == "bias"
    # The pair that wrote nothing is like nothing.
    assert row.details["same_program"]["num_pairs"] == 5
    assert row.details["same_program"]["value"] == pytest.approx(3 / 5)
    low, high = row.details["token_similarity"]["interval"]
    assert low < row.details["token_similarity"]["value"] < high
    if codebleu_problem() is None:
        assert 0.5 < row.details["codebleu"]["value"] < 1.0
    else:
        assert row.details["codebleu"] is None
        assert "debias-eval[codebleu]" in row.details["codebleu_note"]


def test_two_models_are_compared_in_pairs(
    graded: tuple[Path, BenchmarkResult], tmp_path: Path
) -> None:
    _run(tmp_path / "after", [RIGHT] * 6, [RIGHT] * 6)
    found = compare(graded[0] / "o", tmp_path / "after" / "o", plan=Bootstrap(resamples=200))
    test = found.benchmarks[0].bias_test
    assert test is not None
    assert test.headline.before.value == pytest.approx(1 / 6)
    assert test.headline.after.value == 0.0
    assert test.others["flip_rate"].difference.value == pytest.approx(-1 / 6)
    assert test.others["same_program"].after.value == 1.0
    assert (test.num_items, test.num_clusters, test.verdict) == (12, 6, "inconclusive")


def test_grading_again_says_the_same(graded: tuple[Path, BenchmarkResult]) -> None:
    again = regrade(graded[0] / "o", settings=FAST).benchmarks["counterfactual_code"]
    assert (again.score, again.details["same_program"]) == (
        graded[1].score,
        graded[1].details["same_program"],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": None}, "pair 'p0', female: no reference"),
        ({"prompt": "Write a program."}, "pair 'p0', female: the prompt defines no function"),
    ],
)
def test_pairs_that_cannot_be_run(tmp_path: Path, change: dict[str, object], message: str) -> None:
    rows = [json.loads(line) for line in _pairs(tmp_path / "p.jsonl", 1).read_text().splitlines()]
    rows[0].update(change)
    task = get_task("counterfactual_code")
    with pytest.raises(InputError, match=message):
        task.load(_jsonl(tmp_path / "bad.jsonl", rows), task.protocol())


def test_comments_docstrings_and_layout_are_no_difference() -> None:
    told = 'def bill(cost):\n    """What she pays."""\n\n    # twice\n    return (cost * 2)\n'
    found = likeness(told, GOOD)
    assert found is not None
    assert (found.same_program, found.token_similarity) == (True, 1.0)
    changed = likeness(GOOD, OTHER)
    assert changed is not None
    assert not changed.same_program
    assert 0.2 < changed.token_similarity < 0.9


def test_what_cannot_be_compared() -> None:
    assert likeness("", GOOD) is None
    assert likeness("x" * 10_001, GOOD) is None
    broken = likeness("def f(:\n  (", "def f(:\n  (")
    assert broken is not None
    assert broken == (True, 1.0, None)


def test_codebleu_orders_programs_and_does_not_depend_on_the_order() -> None:
    pytest.importorskip("codebleu")
    assert codebleu(GOOD, GOOD) == pytest.approx(1.0)
    near = codebleu(GOOD, GOOD.replace("* 2", "* 3"))
    far = codebleu(GOOD, OTHER)
    assert near is not None
    assert far is not None
    assert 0.0 < far < near < 1.0
    assert codebleu(OTHER, GOOD) == pytest.approx(far)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    for cached in (_likeness.codebleu_problem, _likeness._scorer):
        cached.cache_clear()
    try:
        with pytest.raises(
            MissingError, match=r"No module named 'codebleu'.*debias-eval\[codebleu"
        ):
            codebleu(GOOD, GOOD)
        found = likeness(GOOD, GOOD)
        assert found is not None
        assert found.codebleu is None
    finally:
        for cached in (_likeness.codebleu_problem, _likeness._scorer):
            cached.cache_clear()
