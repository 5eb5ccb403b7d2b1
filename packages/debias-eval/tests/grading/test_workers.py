"""The worker processes: started once, replaced when killed, gone with their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from debias_eval.grading import Verdict, grade_answer, grade_many
from debias_eval.grading import workers as workers_module
from debias_eval.grading.zygote import WALL_SECONDS

SYMBOLIC = (r"\sqrt{50}", r"5\sqrt{2}")


def test_importing_is_cheap() -> None:
    code = (
        "import sys, debias_eval.grading\n"
        "heavy = {'torch', 'sympy', 'math_verify', 'latex2sympy2_extended', 'numpy'}\n"
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_easy_answers_start_no_worker() -> None:
    code = (
        "from debias_eval.grading import grade_answer, workers\n"
        "assert grade_answer('1/2', '0.5').correct\n"
        "assert grade_answer('x^2-1', '(x-1)(x+1)').correct\n"
        "assert not grade_answer('(1,2)', '[1,2]').correct\n"
        "assert workers._service is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_many_keep_their_order_and_report() -> None:
    pairs = [("1", "1"), SYMBOLIC, ("2", "3"), (r"\sqrt{12}", r"3\sqrt{2}"), ("x", r"\boxed{x}")]
    seen: dict[int, Verdict] = {}
    verdicts = grade_many(pairs * 3, workers=2, on_result=seen.__setitem__)
    assert [v.status for v in verdicts[:5]] == [
        "correct", "correct", "incorrect", "incorrect", "correct",
    ]  # fmt: skip
    assert verdicts == [grade_answer(*pair) for pair in pairs * 3]
    assert seen == dict(enumerate(verdicts))


def test_a_killed_zygote_is_replaced() -> None:
    assert grade_answer(*SYMBOLIC).correct
    running = workers_module.service()
    os.kill(running._process.pid, signal.SIGKILL)
    running._process.wait()
    assert grade_answer(*SYMBOLIC).correct
    assert workers_module.service() is not running


def test_a_zygote_whose_end_was_not_noticed_yet_is_replaced() -> None:
    """The pipe is found closed before the reading thread has seen the end."""
    assert grade_answer(*SYMBOLIC).correct
    running = workers_module.service()
    reading, writing = os.pipe()
    os.close(reading)
    kept, running._process.stdin = running._process.stdin, os.fdopen(writing, "wb", 0)
    assert not running.broken
    assert grade_answer(*SYMBOLIC).correct
    assert workers_module.service() is not running
    kept.close()


@pytest.mark.parametrize(
    "ending",
    [pytest.param("pass", marks=pytest.mark.slow), "import os; os.kill(os.getpid(), 9)"],
)
def test_nothing_outlives_the_caller(ending: str) -> None:
    code = (
        "from debias_eval.grading import grade_answer, workers\n"
        f"grade_answer({SYMBOLIC[0]!r}, {SYMBOLIC[1]!r})\n"
        "print(workers.service()._process.pid, flush=True)\n"
        f"{ending}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=90
    )
    session = int(done.stdout)
    for _ in range(50):
        if not _session(session):
            return
        time.sleep(0.1)
    pytest.fail("workers outlive their caller")


def test_a_starved_worker_is_waited_for() -> None:
    """Stopped beyond its wall time, it has computed nothing: no fault of the answer."""
    assert grade_answer(*SYMBOLIC).correct
    zygote = workers_module.service()._process.pid
    workers = [pid for pid in _session(zygote) if pid != zygote]
    with ThreadPoolExecutor(1) as pool:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        verdict = pool.submit(grade_answer, *SYMBOLIC)
        time.sleep(WALL_SECONDS + 0.5)
        assert not verdict.done()
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert verdict.result().correct


def _session(session: int) -> list[int]:
    """The processes of the session that the zygote leads, zombies left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[3]) == session and stat[0] != "Z":
            found.append(int(entry.parent.name))
    return found
