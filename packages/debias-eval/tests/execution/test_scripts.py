"""Programs on standard input: processes of their own, and what counts as the right output."""

import pytest

from debias_eval.execution import Limits, Program, Status
from debias_eval.execution.portions import PORTION_BYTES, portions
from debias_eval.execution.stdout import difference

LEVELS = ("hardened", "landlock")


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("4\n", "4", True),
        ("  4 \n\n", "4", True),
        ("1 2\n3", "1 2 \n 3\n", True),
        ("0.50 1", "0.5 1.0", True),
        ("1e3", "1000", True),
        ("50000000000000001", "50000000000000000", False),
        ("0.1", "0.10000001", False),
        ("1  2", "1 2", True),
        ("a  b", "a b", False),
        ("Yes", "YES", False),
        ("1\n\n2", "1\n2", False),
        ("1 2 3", "1 2", False),
        ("", "", True),
        ("", "0", False),
        ("nan", "nan", True),
        ("snan", "nan", False),
        ("9" * 200_000 + ".0", "9" * 200_000, False),
    ],
)
def test_what_counts_as_the_same_output(printed, expected, same):
    assert (difference(printed, expected) == "") is same


def run(executor, solution, *pairs, cpu=1.0):
    program = Program(
        "p",
        solution,
        "",
        None,
        style="stdin",
        inputs=tuple([text] for text, _ in pairs),
        expected=tuple(text for _, text in pairs),
        limits=Limits(cpu=cpu),
    )
    (outcome,) = executor.run([program])
    return outcome


PASSING = {
    "reads": "print(int(input()) * 2)",
    "main": "import sys\nif __name__ == '__main__':\n    sys.stdout.write(f'{2 * int(input())}')",
    "exit": "import sys\nprint(int(input()) * 2)\nsys.exit(1)",
    "thread": "import threading\nthreading.Thread(target=lambda: print(2 * int(input()))).start()",
    "hook": "import atexit\natexit.register(lambda n: print(2 * n), int(input()))",
    "raw": "import os\nos.write(1, b'%d' % (2 * int(os.read(0, 100))))",
    "closes": "import os\nprint(2 * int(input()), flush=True)\nos.close(0)\nos.close(1)",
}  # fmt: skip
FAILING = {
    "wrong": ("print(4)", "failed"),
    "raises": ("print(2 * int(input()))\n1 / 0", "failed"),
    "no flush": ("import os\nprint(2 * int(input()))\nos._exit(0)", "failed"),
    "syntax": ("print(", "failed"),
    "flood": ("while True: print('x' * 1000)", "failed"),
    "hangs": ("while True: pass", "timeout_cpu"),
    "memory": ("x = bytearray(3 << 30)", "memory"),
    "killed": ("import ctypes\nctypes.string_at(0)", "crashed"),
    "forged": ("import json\nprint(json.dumps({'status': 'passed'}))", "failed"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PASSING)
def test_programs_that_print_the_answer(executors, level, name):
    outcome = run(executors(level), PASSING[name], ("2\n", "4\n"), ("7", "14"))
    assert (outcome.status, outcome.split) == (Status.PASSED, True), outcome


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FAILING)
def test_programs_that_do_not(executors, level, name):
    solution, status = FAILING[name]
    outcome = run(executors(level), solution, ("2\n", "4\n"), ("7", "14"), cpu=0.3)
    assert outcome.status == status, outcome


def test_large_input_and_output_and_input_that_nobody_reads(executors):
    text = "7" * (3 << 20)
    assert run(executors("landlock"), "print(input())", (text, text)).status is Status.PASSED
    assert run(executors("landlock"), "print(1)", (text, "1")).status is Status.PASSED


def test_a_process_keeps_nothing_for_the_next(executors):
    solution = (
        "import os\nn = int(input())\nprint(n + len(os.listdir('.')))\nopen('left', 'w').close()"
    )
    assert run(executors("landlock"), solution, ("1", "1"), ("2", "2")).status is Status.PASSED


def test_inputs_are_split_where_they_would_not_fit():
    big = "x" * (PORTION_BYTES // 2 + 1)
    job = {"inputs": ["a", big, big, "b"], "expected": [1, 2, 3, 4], "first": 0}
    parts = list(portions(job))
    assert [(part["first"], part["expected"]) for part in parts] == [(0, [1, 2]), (2, [3, 4])]
    assert [part["expected"] for part in portions(job, single=True)] == [[1], [2], [3], [4]]
    assert [*portions({"inputs": [], "expected": [], "first": 0}, single=True)]
