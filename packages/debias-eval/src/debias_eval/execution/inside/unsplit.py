"""Solution and tests in one process, for tests that cannot be split from it. Weaker: see below.

The process that decides has run the solution. What stands against a forged verdict is a nonce
that only the harness was given, the number of tests expected from parsing, no skips, and canary
tests that must fail: a solution whose objects equal everything, or whose `assert` has been
patched away, passes those and is found out. It remains possible to cheat; results say so.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import os
import types
import unittest
from typing import Any

from debias_eval.execution.inside import worker
from debias_eval.execution.inside.values import printable

_write, _dumps = os.write, json.dumps
_LOOK_DEPTH, _LOOK_ITEMS = 3, 100
_TAMPERED = ("failed", "a canary test passed: the solution has tampered with the tests", 0)


def main(job: dict[str, Any], _exchange: int | None, result: int) -> None:
    """Run one job and write its report, with the nonce last, to `result`."""
    nonce = job.pop("nonce")
    status, detail, count = _verdict(job)
    report = {"status": status, "detail": printable(detail), "calls": count, "nonce": nonce}
    data = _dumps(report).encode("ascii")
    while data:
        data = data[_write(result, data) :]


def _verdict(job: dict[str, Any]) -> tuple[str, str, int]:
    run = {"unittest": _run_unittest, "check": _run_check, "asserts": _run_asserts}[job["style"]]
    try:
        module = worker.load(job["source"])
    except SyntaxError as error:
        return "error", f"does not compile: {error}", 0
    except MemoryError:
        return "memory", "MemoryError at import", 0
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything at all
        return "failed", f"at import: {type(error).__name__}", 0
    try:
        return run(job, module)
    except MemoryError:
        return "memory", "MemoryError", 0
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything at all
        return "failed", f"{type(error).__name__}: {error!s:.500}", 0


class _Watched:
    """Remembers whether a function ever returned something that equals an object it cannot know."""

    def __init__(self) -> None:
        self.fooled = False

    def wrap(self, function: Any) -> Any:
        """Return `function` with its results looked at."""

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            self._look_at(result, depth=0)
            return result

        return watched

    def _look_at(self, value: Any, depth: int) -> None:
        with contextlib.suppress(Exception):  # arrays answer with arrays, some types with errors
            if (value == object()) is True:
                self.fooled = True
        if depth < _LOOK_DEPTH and type(value) in (list, tuple, set, dict):
            for part in itertools.islice(value, _LOOK_ITEMS):
                self._look_at(part, depth + 1)
                if type(value) is dict:
                    self._look_at(value[part], depth + 1)


def _watch_entry(job: dict[str, Any], module: types.ModuleType) -> _Watched:
    watched, entry = _Watched(), job["entry_point"]
    if isinstance(vars(module).get(entry), types.FunctionType):
        vars(module)[entry] = watched.wrap(vars(module)[entry])
    return watched


def _run_asserts(job: dict[str, Any], module: types.ModuleType) -> tuple[str, str, int]:
    namespace = vars(module)
    watched = _watch_entry(job, module)
    exec(compile(f"{job['setup']}\n{job['test']}", "<tests>", "exec"), namespace)  # noqa: S102 - sandboxed
    return _canary(job, module, watched)


def _run_check(job: dict[str, Any], module: types.ModuleType) -> tuple[str, str, int]:
    namespace = vars(module)
    exec(compile(job["test"], "<tests>", "exec"), namespace)  # noqa: S102 - sandboxed
    watched = _watch_entry(job, module)
    namespace["check"](namespace[job["entry_point"]])
    return _canary(job, module, watched)


def _canary(
    job: dict[str, Any], module: types.ModuleType, watched: _Watched
) -> tuple[str, str, int]:
    if watched.fooled:
        return _TAMPERED
    namespace = vars(module)
    for text in ("assert 1 == 2", "assert [] == [0]", "assert not True", "assert abs(3) < 1"):
        try:
            exec(compile(text, "<canary>", "exec"), namespace)  # noqa: S102 - a constant
        except AssertionError:
            continue
        return _TAMPERED
    return "passed", "", int(job["expected_tests"])


def _run_unittest(job: dict[str, Any], module: types.ModuleType) -> tuple[str, str, int]:
    namespace = vars(module)
    exec(compile(f"{job['setup']}\n{job['test']}", "<tests>", "exec"), namespace)  # noqa: S102 - sandboxed

    watched = _watch_entry(job, module)

    class Canary(unittest.TestCase):
        def test_equal(self) -> None:
            self.assertEqual(1, 2)  # noqa: PT009 - the method that may have been patched

        def test_true(self) -> None:
            self.assertTrue(False)  # noqa: FBT003, PT009 - as above

    loader = unittest.TestLoader()
    cases = [v for v in namespace.values() if isinstance(v, type) and _is_case(v)]
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    outcome = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
    canary = unittest.TextTestRunner(stream=io.StringIO()).run(loader.loadTestsFromTestCase(Canary))
    if len(canary.failures) != 2 or watched.fooled:
        return _TAMPERED
    if outcome.skipped or outcome.testsRun != job["expected_tests"]:
        return "failed", f"{outcome.testsRun} tests ran, {len(outcome.skipped)} skipped", 0
    problems = [*outcome.failures, *outcome.errors]
    if problems or outcome.unexpectedSuccesses or outcome.expectedFailures:
        text = problems[0][1] if problems else "unexpected success"
        return "failed", text, outcome.testsRun
    return "passed", "", outcome.testsRun


def _is_case(cls: type) -> bool:
    return issubclass(cls, unittest.TestCase) and cls is not unittest.TestCase
