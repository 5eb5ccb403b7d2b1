"""Gates on real data: references against themselves, and the gold cases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from debias_eval.grading import Verdict, grade_answer, grade_many
from debias_eval.grading.workers import warm_up


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        pytest.skip(f"no file {path}")
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


@pytest.mark.parametrize(
    ("file", "field", "num_rows"),
    [
        ("math500/test.jsonl", "answer", 500),
        ("math/test.jsonl", "solution", 5000),
        ("gsm8k/test.jsonl", "answer", 1319),
    ],
)
def test_references_equal_themselves(
    shared_dir: Path, file: str, field: str, num_rows: int
) -> None:
    references = [row[field] for row in _rows(shared_dir / "data" / file)]
    assert len(references) == num_rows
    verdicts = grade_many([(gold, f"{gold}\n") for gold in references])
    wrong = [(g, v) for g, v in zip(references, verdicts, strict=True) if not v.correct]
    assert wrong == []


def test_gold_cases(shared_dir: Path) -> None:
    cases = [
        row
        for row in _rows(shared_dir / "cases" / "math_grader_cases.jsonl")
        if not row.get("note", "").startswith("policy:")
    ]
    verdicts = grade_many([(case["gold"], case["pred"]) for case in cases])
    wrong = [
        (case["gold"], case["pred"], case["equal"])
        for case, verdict in zip(cases, verdicts, strict=True)
        if verdict.correct != case["equal"]
    ]
    assert [case for case in wrong if not case[2]] == [], "false positives"
    assert len(wrong) <= 0.03 * len(cases), wrong


def _grade(case: dict[str, Any]) -> tuple[Verdict, float]:
    text = {
        side: "".join(piece * count for piece, count in case.get(f"{side}_gen", [])) or case[side]
        for side in ("gold", "pred")
    }
    start = time.monotonic()
    return grade_answer(text["gold"], text["pred"]), time.monotonic() - start


@pytest.mark.parametrize("num_threads", [pytest.param(0, marks=pytest.mark.slow), 4])
def test_hostile_answers(shared_dir: Path, num_threads: int) -> None:
    cases = list(_rows(shared_dir / "cases" / "hostile_answers.jsonl"))
    warm_up()
    if num_threads:
        with ThreadPoolExecutor(num_threads) as pool:
            results = list(pool.map(_grade, cases))
    else:
        results = [_grade(case) for case in cases]
    for case, (verdict, seconds) in zip(cases, results, strict=True):
        assert seconds <= case["max_seconds"] + 0.5, case["id"]
        if case["expect_equal"] is not None and case.get("expect") != "any":
            assert verdict.correct == case["expect_equal"], (case["id"], verdict)
        assert not Path(case["must_not_exist"]).exists(), case["id"]
