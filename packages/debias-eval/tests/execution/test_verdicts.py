"""What a verdict depends on: solutions and tests through the whole of the executor."""

import pytest

from debias_eval.execution import Limits, Status


def check(body):
    return "def check(candidate):\n" + "".join(f"    {line}\n" for line in body.split("\n"))


ADD = check("assert candidate(2, 3) == 5\nassert candidate(-1, 1) == 0")


@pytest.mark.parametrize(
    ("solution", "test"),
    [
        ("def f(a, b): return a + b", ADD),
        ("f = lambda a, b: a + b", ADD),
        ("class G:\n    def __call__(self, a, b): return a + b\nf = G()", ADD),
        ("def f(a, b): return a + b\nif __name__ == '__main__':\n    raise SystemExit(3)", ADD),
        ("def f(a):\n    a.append(1)", check("x = [0]\ncandidate(x)\nassert x == [0, 1]")),
        ("def f(a):\n    a.clear()", check("x = {1: 2}\ncandidate(x)\nassert x == {}")),
        ("def f(n):\n    yield from range(n)", check("assert list(candidate(3)) == [0, 1, 2]")),
        ("def f(n):\n    while True:\n        yield n", check("assert next(candidate(3)) == 3")),
        ("def f(n):\n    return map(str, range(n))",
         check("assert list(candidate(2)) == ['0', '1']")),
        ("def f(n):\n    return lambda m: n + m", check("assert candidate(3)(4) == 7")),
        ("def f(g, x):\n    return g(g(x))", check("assert candidate(lambda v: v * 2, 3) == 12")),
        ("def f(a, t):\n    return [x for x in a if isinstance(x, t)]",
         check("assert candidate([1, 'a'], int) == [1]")),
        ("def f(x):\n    raise ValueError('no')",
         check("try:\n    candidate(1)\nexcept ValueError as e:\n    assert str(e) == 'no'\n"
               "else:\n    assert False")),
        ("from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(): return P(1, 2)",
         check("assert candidate() == (1, 2)")),
        ("from dataclasses import dataclass\n@dataclass\nclass D:\n    x: 'int'\n"
         "def f():\n    return D(3).x", check("assert candidate() == 3")),
        ("def f(x):\n    return {(1, 2): {3}, None: b'x', 1.5: 10 ** 4400}",
         check("assert candidate(0) == {(1, 2): {3}, None: b'x', 1.5: 10 ** 4400}")),
        ("import threading\ndef f(x):\n    r = []\n"
         "    t = threading.Thread(target=r.append, args=(x,))\n"
         "    t.start(); t.join()\n    return r[0]", check("assert candidate(4) == 4")),
        ("import tempfile\ndef f(x):\n    with tempfile.TemporaryFile('w+') as t:\n"
         "        t.write(x)\n        t.seek(0)\n        return t.read()",
         check("assert candidate('hi') == 'hi'")),
        ("def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)",
         check("assert candidate(800) == 800")),
        ("def f():\n    print('x' * 3_000_000)\n    return 1", check("assert candidate() == 1")),
        ("def helper(x): return x + 1\ndef f(x): return helper(x)",
         check("assert candidate(1) == helper(1)")),
    ],
)  # fmt: skip
def test_correct_programs_pass(run, solution, test):
    outcome = run(solution, test)
    assert outcome.status is Status.PASSED, outcome
    assert outcome.split


@pytest.mark.parametrize(
    ("solution", "status"),
    [
        ("def f(a, b): return a - b", Status.FAILED),
        ("", Status.ERROR),
        ("def f(a, b) return", Status.ERROR),
        ("f = 3", Status.ERROR),
        ("def g(a, b): return a + b", Status.ERROR),
        ("x = '\0'\ndef f(a, b): return a + b", Status.ERROR),
        ("#" * (4 << 20) + "\ndef f(a, b): return a + b", Status.ERROR),
        ("raise RuntimeError('x')", Status.FAILED),
        ("import os\nos._exit(0)", Status.ERROR),
        ("import sys\ndef f(a, b): sys.exit(0)", Status.FAILED),
        ("def f(a, b):\n    return bytearray(8 << 30)", Status.MEMORY),
        ("def f(a, b):\n    return 'a' * (1 << 28)", Status.FAILED),
        ("import ctypes\ndef f(a, b): ctypes.string_at(0)", Status.CRASHED),
        ("def f(a, b):\n    raise StopIteration", Status.FAILED),
        ("class E:\n    def __eq__(self, o): return True\ndef f(a, b): return E()", Status.FAILED),
        ("class f:\n    def __new__(cls, a, b): return super().__new__(cls)\n"
         "    def __eq__(self, o): return True", Status.FAILED),
        ("from unittest.mock import ANY\ndef f(a, b): return ANY", Status.FAILED),
    ],
)  # fmt: skip
def test_wrong_programs_end_as_what_they_are(run, solution, status):
    outcome = run(solution, ADD)
    assert outcome.status is status, outcome


def test_a_program_that_closes_every_channel_does_not_pass(run):
    outcome = run("import os\ndef f(a, b):\n    os.closerange(0, 100)\n    return 5", ADD)
    # whether its silence or its death is seen first is a race
    assert outcome.status in {Status.ERROR, Status.CRASHED}, outcome


HOSTILE = {
    "swallowed by map": ("def f(x): raise StopIteration", "assert all(map(candidate, [1, 2]))"),
    "operators": (
        "class A:\n    def __sub__(self, o): return 0\n    __rsub__ = __sub__\n"
        "    def __abs__(self): return 0\n    def __lt__(self, o): return True\n"
        "def f(x): return A()",
        "assert abs(candidate(2) - 4) < 1e-6",
    ),
    "contains": (
        "class A:\n    def __contains__(self, o): return True\ndef f(x): return A()",
        "assert 5 in candidate(2)",
    ),
    "a method of the result": (
        "class A:\n    def startswith(self, o): return True\ndef f(x): return A()",
        "assert candidate(2).startswith('two')",
    ),
    "a class that poses as the function": (
        "class f:\n    def __init__(self, x): pass\n    def startswith(self, o): return True",
        "assert candidate(2).startswith('two')",
    ),
    "a builtin of the tests": (
        "def set(x): return 0\ndef sorted(x): return 0\ndef f(x): return x",
        "assert set(candidate(2)) == set('two') and sorted('ab') == ['a', 'b']",
    ),
    "a module of the tests": (
        "import builtins, types, sys\nmath = types.ModuleType('math')\n"
        "math.isclose = lambda *a, **k: True\nsys.modules['math'] = math\ndef f(x): return 0.0",
        "import math\nassert math.isclose(candidate(2), 4.0)",
    ),
    "the comparison of an exception": (
        "class X(Exception):\n    def __eq__(self, o): return True\ndef f(x): return X()",
        "assert candidate(2) == 4",
    ),
    "an awaitable": ("async def f(x): return 4", "assert candidate(2) == 4"),
    "never calling back": ("def f(x): return 4", "assert True"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_solution_cannot_answer_for_the_test(run, name):
    solution, body = HOSTILE[name]
    assert run(solution, check(body)).status in (Status.FAILED, Status.ERROR)


def test_helpers_of_the_prompt_are_not_the_solutions_to_redefine(run):
    test = check("assert poly(candidate(2)) == 4")
    cheat = "def poly(x): return 4\ndef f(x): return 0"
    helpers = "def poly(x): return x * x"
    assert run(cheat, test).status is Status.PASSED  # what the benchmark's own text permits
    assert run(cheat, test, helpers=helpers).status is Status.FAILED
    assert run("def f(x): return 2", test, helpers=helpers).status is Status.PASSED


@pytest.mark.parametrize(
    ("solution", "test", "setup", "status"),
    [
        ("def g(x): return [x]", "assert g(1) == [1]\nassert set(g(2)) == set([2])", "", "passed"),
        ("def g(x): return [x]", "assert g(1) == [1]\nassert g(2) == [3]", "", "failed"),
        ("def h(x): return [x]", "assert g(1) == [1]", "", "error"),
        ("def sum(a, b): return 6", "assert sum(10, 15) == 6", "", "passed"),
        ("import math\ndef g(x): return x / 3", "assert math.isclose(g(1), 1 / 3)", "", "passed"),
        ("def g(x): return x / 3", "assert math.isclose(g(1), 1 / 3)", "import math", "passed"),
        ("class math:\n    isclose = lambda *a: True\ndef g(x): return 0",
         "assert math.isclose(g(1), 1 / 3)", "", "failed"),
        ("class Node:\n    def __init__(s, v): s.v = v; s.left = None\n"
         "def depth(n): return 0 if n is None else 1 + depth(n.left)",
         "assert depth(root) == 3", "root = Node(1)\nroot.left = Node(2)\nroot.left.left = Node(3)",
         "passed"),
        ("class Pair:\n    def __init__(s, a, b): s.a = a; s.b = b\n"
         "def total(ps): return [p.a + p.b for p in ps]",
         "assert total([Pair(1, 2), Pair(3, 4)]) == [3, 7]", "", "passed"),
    ],
)  # fmt: skip
def test_assert_lines(run, solution, test, setup, status):
    outcome = run(solution, test, None, style="asserts", setup=setup)
    assert (outcome.status, outcome.split) == (status, True), outcome


def test_inputs_and_expected_values(run):
    fields = {"style": "io", "inputs": ([1, 2], [[3], 4]), "expected": (3.0, None), "atol": 1e-6}
    good = "def f(a, b):\n    return a + b if isinstance(a, int) else None"
    assert run(good, "", **fields).status is Status.PASSED
    outcome = run("def f(a, b): return 3.1", "", **fields)
    assert outcome.status is Status.FAILED
    assert "input 0" in outcome.detail
    recorded = run(good, "", style="record", inputs=fields["inputs"])
    assert recorded.outputs == (3, None)
    letters = "def f(n): return 'x' * n"
    large = run(letters, "", style="record", inputs=([9 << 20], [9 << 20], [1]))
    assert [len(value) for value in large.outputs] == [9 << 20, 9 << 20, 1]  # in portions
    too_large = run(letters, "", style="record", inputs=([1], [17 << 20]))
    assert too_large.status is not Status.PASSED
    assert "larger" in too_large.detail
    huge = run("def f(n): return n", "", style="io", inputs=(["x" * (17 << 20)],), expected=(1,))
    assert huge.status is Status.INFRA_ERROR


def test_time_is_counted_in_cpu_seconds(run):
    outcome = run("def f(a, b):\n    while True: pass", ADD, limits=Limits(cpu=0.5))
    assert outcome.status is Status.TIMEOUT_CPU
    assert 0.5 <= outcome.cpu_seconds < 1.5
    caught = (
        "def f(a, b):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    )
    assert run(caught, ADD, limits=Limits(cpu=0.3)).status is Status.TIMEOUT_CPU
    children = (
        "import os\ndef f(a, b):\n    for _ in range(4):\n        if os.fork() == 0:\n"
        "            while True: pass\n    os.wait()"
    )
    outcome = run(children, ADD, limits=Limits(cpu=1.0))
    assert outcome.status in (Status.TIMEOUT_CPU, Status.FAILED)  # forking is refused at landlock


def test_wall_time_ends_what_only_waits(run):
    sleeper = "import time\ndef f(a, b): time.sleep(60)"
    outcome = run(sleeper, ADD, limits=Limits(cpu=1.0, wall=1.0))
    assert outcome.status is Status.TIMEOUT_WALL
    assert 1.0 <= outcome.wall_seconds < 2.5


def test_out_of_wall_time_once_only_is_flaky(run):
    # Which of the two runs it is can be told from nothing inside the sandbox; chance decides here.
    seen = set()
    for _ in range(12):
        outcome = run(
            "import os, time\ndef f(a, b):\n    if os.urandom(1)[0] & 1: time.sleep(9)\n"
            "    return 5\n",
            check("assert candidate(2, 3) == 5"),
            limits=Limits(cpu=0.4, wall=0.4),
        )
        seen.add(outcome.status)
        if Status.FLAKY in seen:
            break
    assert Status.FLAKY in seen


def test_output_keeps_head_and_tail(run):
    solution = (
        "def f(a, b):\n    print('first'); print('y' * 500_000); print('last')\n    return a + b"
    )
    outcome = run(solution, ADD, limits=Limits(output=1000))
    assert outcome.status is Status.PASSED
    assert outcome.output.startswith("first")
    assert outcome.output.rstrip().endswith("last")
    assert "bytes dropped" in outcome.output
    assert len(outcome.output) < 3000


def test_text_is_always_encodable(run):
    outcome = run(
        "import os\nos.write(1, b'\\xff\\xfe')\ndef f(a, b): raise ValueError('\\udcff\\0')", ADD
    )
    assert outcome.status is Status.FAILED
    assert (outcome.output + outcome.detail).encode()


UNITTEST = """
import unittest
class TestCases(unittest.TestCase):
    def test_a(self):
        self.assertEqual(f(2), 4)
    def test_b(self):
        self.assertTrue(f(3) == 9)
"""


@pytest.mark.parametrize(
    ("solution", "status"),
    [
        ("def f(x): return x * x", Status.PASSED),
        ("def f(x): return x", Status.FAILED),
        ("import unittest\ndef f(x): raise unittest.SkipTest('no')", Status.FAILED),
        ("import os\ndef f(x): os._exit(0)", Status.ERROR),
        ("import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n"
         "unittest.TestCase.assertTrue = lambda *a: None\ndef f(x): return 0", Status.FAILED),
        ("class E:\n    def __eq__(self, o): return True\ndef f(x): return E()", Status.FAILED),
    ],
)  # fmt: skip
def test_unittest_runs_unsplit_and_says_so(run, solution, status):
    outcome = run(solution, UNITTEST, style="unittest")
    assert outcome.status is status, outcome
    assert outcome.split is False


def test_a_test_that_passes_its_own_objects_runs_unsplit(run):
    test = "class Own:\n    x = 3\n" + check("assert candidate(Own()) == 3")
    outcome = run("def f(o): return o.x", test)
    assert (outcome.status, outcome.split) == (Status.PASSED, False)
    assert run("def f(o): return 4", test).status is Status.FAILED
