"""One program at a time through a pair of zygotes, and the verdict out of how both ended."""

from __future__ import annotations

import json
import secrets
import signal
import socket
from dataclasses import replace
from typing import Any

from debias_eval.execution.fallback import expected_tests
from debias_eval.execution.inside.values import (
    Decoder,
    Encoder,
    MalformedError,
    ValueTooLargeError,
    printable,
)
from debias_eval.execution.program import MAX_SOURCE_BYTES, Limits, Outcome, Program, Status
from debias_eval.execution.zygotes import Ending, Level, Role, Zygote, ZygoteError

_TEST_GRACE_SECONDS = 0.5
_KILLED = {
    "cpu": (Status.TIMEOUT_CPU, "out of CPU time"),
    "wall": (Status.TIMEOUT_WALL, "out of wall time"),
    "memory": (Status.MEMORY, "its processes together are over the memory limit"),
    "scratch": (Status.MEMORY, "its scratch folder is over the limit"),
}


class Slot:
    """Runs programs one after another; zygotes are started when first needed and kept.

    Args:
        level: the isolation of every process started.
        python: the interpreter of the sandbox; empty for the running one.
    """

    def __init__(self, level: Level, python: str = "") -> None:
        self._level = level
        self._python = python
        self._zygotes: dict[tuple[Role, tuple[str, ...]], Zygote] = {}
        self._aborted = False

    def close(self) -> None:
        """End all zygotes."""
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()

    def abort(self) -> None:
        """Kill what is running; the thread that waits for it gets an `infra_error`."""
        self._aborted = True
        for zygote in list(self._zygotes.values()):
            zygote.kill()

    def run(self, program: Program) -> Outcome:
        """Return the outcome of one program; a sandbox that breaks is renewed and tried once."""
        refused = _refuse(program)
        if refused:
            return self._outcome(program, (Status.ERROR, refused), None, split=True)
        run = self._run_unsplit if program.style == "unittest" else self._run_split
        reason = ""
        for _attempt in range(2):
            if self._aborted:
                break
            try:
                return run(program)
            except ZygoteError as error:
                reason = str(error)
                self.close()
            except ValueTooLargeError as error:  # of the benchmark's data, not of the solution's
                reason = f"the tests hold too much: {error}"
                self.close()
        # Without a process namespace a program can reach its supervisor: its own doing, then.
        guilty = self._level == "process" and not self._aborted
        status = Status.CRASHED if guilty else Status.INFRA_ERROR
        return self._outcome(program, (status, reason or "closed"), None, split=True)

    def _zygote(self, role: Role, libraries: tuple[str, ...]) -> Zygote:
        key = (role, libraries)
        if key not in self._zygotes:
            self._zygotes[key] = Zygote(self._level, role, libraries=libraries, python=self._python)
        return self._zygotes[key]

    def _run_split(self, program: Program) -> Outcome:
        limits = program.limits or Limits()
        job = _test_job(program)
        worker = self._zygote("worker", program.libraries)
        tester = self._zygote("test", program.libraries)
        patience = replace(limits, wall=limits.wall_seconds + _TEST_GRACE_SECONDS)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            worker.start({"source": program.solution}, limits, (ours.fileno(),))
            tester.start(job, patience, (theirs.fileno(),))
        test_end = tester.finish()
        worker.stop()
        worker_end = worker.finish()
        for ending in (test_end, worker_end):
            _raise_for_setup(ending)
        report = _report(test_end)
        if report.get("status") == "unsplittable":
            return self._run_unsplit(program)
        verdict = _judge(report, worker_end, test_end, limits)
        outputs = _decode_outputs(report) if verdict[0] is Status.PASSED else ()
        return self._outcome(program, verdict, worker_end, split=True, outputs=outputs)

    def _run_unsplit(self, program: Program) -> Outcome:
        limits = program.limits or Limits()
        zygote = self._zygote("unsplit", program.libraries)
        nonce = secrets.token_hex(16)
        job = _test_job(program) | {"source": program.solution, "nonce": nonce}
        job["expected_tests"] = expected_tests(program)
        zygote.start(job, limits)
        ending = zygote.finish()
        _raise_for_setup(ending)
        report = _report(ending)
        if report.get("nonce") != nonce:
            report = {}
        if report.get("status") == "passed" and report.get("calls") != job["expected_tests"]:
            report = {"status": "failed", "detail": "not all tests ran"}
        if not report:
            report = {"status": "failed", "failure": "died"}
        return self._outcome(program, _judge(report, ending, ending, limits), ending, split=False)

    def _outcome(
        self,
        program: Program,
        verdict: tuple[Status, str],
        ending: Ending | None,
        *,
        split: bool,
        outputs: tuple[Any, ...] = (),
    ) -> Outcome:
        status, detail = verdict
        return Outcome(
            id=program.id,
            status=status,
            detail=printable(detail),
            cpu_seconds=ending.cpu if ending else 0.0,
            wall_seconds=ending.wall if ending else 0.0,
            level=self._level,
            split=split,
            output=ending.output if ending else "",
            outputs=outputs,
        )


def _refuse(program: Program) -> str:
    """Return why a solution is not run at all, or an empty text."""
    if "\0" in program.solution:
        return "the source holds a NUL character"
    size = len(program.solution.encode("utf-8", "surrogatepass"))
    if size > MAX_SOURCE_BYTES:
        return f"the source is {size} bytes, over {MAX_SOURCE_BYTES >> 20} MiB"
    if program.style not in {"asserts", "unittest"} and not program.entry_point:
        return f"style {program.style!r} needs an entry point"
    return ""


def _no_opaque(value: Any) -> dict[str, Any]:
    raise TypeError(f"inputs and expected values must be plain, not {type(value).__name__}")


def _test_job(program: Program) -> dict[str, Any]:
    def encode(value: Any) -> Any:
        return Encoder(_no_opaque).encode(value)

    return {
        "style": program.style,
        "test": program.test,
        "setup": program.setup,
        "helpers": program.helpers,
        "entry_point": program.entry_point,
        "inputs": [encode(list(args)) for args in program.inputs],
        "expected": [encode(value) for value in program.expected],
        "atol": program.atol,
        "compare": program.compare,
    }


def _raise_for_setup(ending: Ending) -> None:
    """Raise if the child could not be locked in; that happens before it sees foreign code."""
    if ending.result.startswith('{"setup":'):
        raise ZygoteError(f"the sandbox could not be entered: {ending.result}")


def _report(ending: Ending) -> dict[str, Any]:
    """Return the report of a process that ran tests, empty if it left none."""
    try:
        report = json.loads(ending.result)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _judge(
    report: dict[str, Any], worker: Ending, tester: Ending, limits: Limits
) -> tuple[Status, str]:
    """Return the verdict: the test process's word, or why there is none."""
    if not report:
        if tester.killed in _KILLED:
            status, text = _KILLED[tester.killed]
            return status, f"{text}, in the tests"
        text = tester.output[-1000:]
        return Status.ERROR, f"the test process ended without a verdict: {text}"
    detail = str(report.get("detail", ""))
    if report.get("failure") == "died":
        return _cause_of_death(worker, limits)
    if report.get("failure") == "protocol":
        return Status.ERROR, f"protocol: {detail}"
    try:
        return Status(report["status"]), detail
    except ValueError:
        return Status.ERROR, "an unknown verdict"


def _cause_of_death(worker: Ending, limits: Limits) -> tuple[Status, str]:
    if worker.killed in _KILLED:
        return _KILLED[worker.killed]
    if worker.signal is not None:
        if worker.cpu >= limits.cpu or worker.signal == signal.SIGXCPU:
            return _KILLED["cpu"]
        return Status.CRASHED, f"crashed with signal {worker.signal}"
    if worker.killed is not None:
        return Status.ERROR, "it closed its connection to the tests"
    return Status.ERROR, f"it ended itself (exit code {worker.exit}) before the tests were over"


def _decode_outputs(report: dict[str, Any]) -> tuple[Any, ...]:
    try:
        return tuple(Decoder().decode(tree) for tree in report.get("outputs", []))
    except MalformedError:
        return ()
