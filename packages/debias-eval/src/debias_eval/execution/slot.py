"""One program at a time through a pair of zygotes, and the verdict out of how both ended."""

from __future__ import annotations

import secrets
import socket
from dataclasses import replace
from typing import Any

from debias_eval.execution.fallback import expected_tests
from debias_eval.execution.inside.values import (
    Encoder,
    ValueTooLargeError,
    printable,
)
from debias_eval.execution.pipes import Pipes
from debias_eval.execution.portions import portions, slice_of
from debias_eval.execution.program import MAX_SOURCE_BYTES, Limits, Outcome, Program, Status
from debias_eval.execution.verdicts import decode_outputs, judge, judge_script, report_of
from debias_eval.execution.zygotes import Ending, Level, Role, Zygote, ZygoteError

_TEST_GRACE_SECONDS = 0.5
_LEAST_CPU_SECONDS = 0.1
_PRINTED_BYTES = 1 << 20


class Slot:
    """Runs programs one after another; zygotes are started when first needed and kept.

    Args:
        level: the isolation of every process started.
        python: the interpreter of the sandbox; empty for the running one. At level `container`
            the command that starts one there.
    """

    def __init__(self, level: Level, python: str = "") -> None:
        self._level = level
        self._python = python
        self._zygotes: dict[tuple[Role, tuple[str, ...], bool], Zygote] = {}
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
        run = {"unittest": self._run_unsplit, "stdin": self._run_scripts}.get(
            program.style, self._run_split
        )
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
        guilty = self._level in ("process", "container") and not self._aborted
        status = Status.CRASHED if guilty else Status.INFRA_ERROR
        return self._outcome(program, (status, reason or "closed"), None, split=True)

    def _zygote(self, role: Role, program: Program) -> Zygote:
        key = (role, program.libraries, program.system)
        if key not in self._zygotes:
            self._zygotes[key] = Zygote(
                self._level,
                role,
                libraries=program.libraries,
                system=program.system,
                python=self._python,
            )
        return self._zygotes[key]

    def _run_split(self, program: Program) -> Outcome:
        """Run a program portion by portion, each with what is left of the CPU time."""
        limits = program.limits or Limits()
        waiting = list(portions(_test_job(program), single=program.fresh))[::-1]
        total: Outcome | None = None
        while waiting:
            job = waiting.pop()
            part = self._run_portion(program, job, limits)
            total = part if total is None else _joined(total, part)
            if total.status is not Status.PASSED:
                break
            done = len(part.outputs)
            if program.style == "record" and done < len(job["inputs"]):
                waiting.append(slice_of(job, done, len(job["inputs"])))
            if not program.fresh:
                left = limits.cpu - part.cpu_seconds
                limits = replace(limits, cpu=max(left, _LEAST_CPU_SECONDS))
        assert total is not None  # there is one portion at least
        return total

    def _run_portion(self, program: Program, job: dict[str, Any], limits: Limits) -> Outcome:
        worker = self._zygote("worker", program)
        tester = self._zygote("test", program)
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
        report = report_of(test_end)
        if report.get("status") == "unsplittable":
            return self._run_unsplit(program)
        verdict = judge(report, worker_end, test_end, limits)
        outputs = decode_outputs(report) if verdict[0] is Status.PASSED else ()
        return self._outcome(program, verdict, worker_end, split=True, outputs=outputs)

    def _run_scripts(self, program: Program) -> Outcome:
        """Run a process an input, up to the first that fails; the limits are each one's own."""
        limits = program.limits or Limits()
        total: Outcome | None = None
        for index, ((text,), wanted) in enumerate(
            zip(program.inputs, program.expected, strict=True)
        ):
            ending, printed = self._run_script(program, str(text), len(wanted))
            status, detail = judge_script(ending, printed, wanted, limits)
            if detail:
                detail = f"input {index}: {detail}"
            part = self._outcome(program, (status, detail), ending, split=True)
            total = part if total is None else _joined(total, part)
            if status is not Status.PASSED:
                break
        if total is None:
            return self._outcome(program, (Status.ERROR, "no inputs"), None, split=True)
        return total

    def _run_script(self, program: Program, text: str, size: int) -> tuple[Ending, str | None]:
        """Return how one process ended and what it printed; None where that was far too much."""
        zygote = self._zygote("script", program)
        limits = program.limits or Limits()
        with Pipes(text, keep=_PRINTED_BYTES + 4 * size) as pipes:
            zygote.start({"source": program.solution}, limits, pipes.theirs)
            pipes.handed_over()
            if not pipes.exchange(until=zygote.fileno(), seconds=limits.wall_seconds + 10):
                zygote.stop()
            ending = zygote.finish()
            _raise_for_setup(ending)
            printed = pipes.output()
            return ending, None if pipes.overflow else printed

    def _run_unsplit(self, program: Program) -> Outcome:
        limits = program.limits or Limits()
        zygote = self._zygote("unsplit", program)
        nonce = secrets.token_hex(16)
        job = _test_job(program) | {"source": program.solution, "nonce": nonce}
        job["expected_tests"] = expected_tests(program)
        zygote.start(job, limits)
        ending = zygote.finish()
        _raise_for_setup(ending)
        report = report_of(ending)
        if report.get("nonce") != nonce:
            report = {}
        if report.get("status") == "passed" and report.get("calls") != job["expected_tests"]:
            report = {"status": "failed", "detail": "not all tests ran"}
        if not report:
            report = {"status": "failed", "failure": "died"}
        return self._outcome(program, judge(report, ending, ending, limits), ending, split=False)

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
    if program.style not in {"asserts", "stdin", "unittest"} and not program.entry_point:
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
        "first": 0,
        "atol": program.atol,
        "compare": program.compare,
    }


def _raise_for_setup(ending: Ending) -> None:
    """Raise if the child could not be locked in; that happens before it sees foreign code."""
    if ending.result.startswith('{"setup":'):
        raise ZygoteError(f"the sandbox could not be entered: {ending.result}")


def _joined(before: Outcome, after: Outcome) -> Outcome:
    """Return the outcome of two portions: the second decides, time and outputs add up."""
    return replace(
        after,
        cpu_seconds=before.cpu_seconds + after.cpu_seconds,
        wall_seconds=before.wall_seconds + after.wall_seconds,
        split=before.split and after.split,
        output=before.output or after.output,
        outputs=before.outputs + after.outputs,
    )
