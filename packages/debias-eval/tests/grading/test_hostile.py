"""Answers that attack the grader: bounded time, nothing executed, no false equality."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from debias_eval.grading import Verdict, grade_answer
from debias_eval.grading.workers import warm_up

MAX_SECONDS = 5.5

QUICK = [
    ("1", r"10^{10^{10^{10}}}"), ("1", "((((10!)!)!)!)!"), ("1", r"\binom{10^{9}}{10^{8}}"),
    ("0", r"\frac{1}{10^{10^{10}}}"), ("1", r"\sqrt[10^9]{2^{10^{9}+1}}"), ("1", "8" * 1_000_000),
    ("1", "1+" * 20_000 + "1"), ("1", r"\sqrt{" * 400 + "2" + "}" * 400), ("1", "(" * 9_000),
    ("1", r"\boxed{" * 20_000), ("1", r"\frac{" * 3_000), ("1", "{" * 50_000), ("1", "x^{" * 700),
    ("1", "$" * 50_001), ("1", r"\{" + "1,2," * 2_000 + r"3\}"), ("1", "1e999999999"), ("1", "inf"),
    ("12", "1\u200b2"), ("12", "1\x002"), ("12", "\ud80012"), ("12", "1\u00b2"), ("1", "Ⅰ"),
    ("7", "__import__('os').system('touch {canary}') or 7"), ("7", "open('{canary}','w') or 7"),
    ("7", "[x for x in ().__class__.__base__.__subclasses__()]"), ("7", "exec('7')"),
    ("7", r"\input{/etc/passwd}\write18{touch {canary}}"), ("7", "print(7)"), ("7", "lambda: 7"),
    ("7", "{{open('{canary}','w')}}"), ("7", "eval(\"open('{canary}','w')\")"),
]  # fmt: skip
SLOW = [
    ("1", r"\int_{0}^{1} x^{x^{x}} \cos(\sin(\cos(x))) \, dx"),
    ("1", r"\prod_{k=1}^{10^{9}} k"),
    ("1", r"\sin(10^{10^{12}})"),
]


def _grade(case: tuple[str, str]) -> tuple[Verdict, float]:
    start = time.monotonic()
    verdict = grade_answer(*case)
    return verdict, time.monotonic() - start


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.mark.parametrize("number", range(len(QUICK)))
def test_quick_refusals(number: int, tmp_path: Path) -> None:
    gold, prediction = QUICK[number]
    canary = tmp_path / "canary"
    verdict, seconds = _grade((gold, prediction.replace("{canary}", str(canary))))
    assert verdict.status in {"incorrect", "unparsed", "limit"}, verdict
    assert seconds < MAX_SECONDS
    assert not canary.exists()


@pytest.mark.parametrize("case", SLOW)
def test_slow_answers_are_cut_off(case: tuple[str, str]) -> None:
    verdict, seconds = _grade(case)
    assert not verdict.correct
    assert seconds < MAX_SECONDS


def test_a_killed_worker_hurts_no_neighbour() -> None:
    cases = [SLOW[1], (r"\sqrt{8}", r"2\sqrt{2}"), SLOW[2], (r"\sqrt{18}", r"3\sqrt{2}")]
    with ThreadPoolExecutor(len(cases)) as pool:
        results = list(pool.map(_grade, cases))
    assert [verdict.correct for verdict, _ in results] == [False, True, False, True]
    assert max(seconds for _, seconds in results) < MAX_SECONDS


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_the_same_in_a_process_pool(method: str) -> None:
    cases = [(r"\sqrt{8}", r"2\sqrt{2}"), (r"\sqrt{8}", r"2\sqrt{3}"), ("1", "9^{9^{9^{9}}}")]
    expected = [grade_answer(*case).status for case in cases]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert [verdict.status for verdict, _ in pool.map(_grade, cases)] == expected
    assert grade_answer(*cases[0]).correct  # the parent's workers outlive its forks


def test_workers_cannot_write_files(tmp_path: Path) -> None:
    """The limits of a worker, seen from inside a process that has set them."""
    pid = os.fork()
    if pid == 0:
        from debias_eval.grading.zygote import _limit

        _limit()
        try:
            (tmp_path / "file").write_text("x")
        except OSError:
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7
