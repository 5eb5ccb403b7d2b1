"""The verdict on a program, out of how its processes ended and what the tests reported."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from debias_eval.execution.inside.values import Decoder, MalformedError
from debias_eval.execution.program import Status
from debias_eval.execution.stdout import difference

if TYPE_CHECKING:
    from debias_eval.execution.program import Limits
    from debias_eval.execution.zygotes import Ending

_KILLED = {
    "cpu": (Status.TIMEOUT_CPU, "out of CPU time"),
    "wall": (Status.TIMEOUT_WALL, "out of wall time"),
    "memory": (Status.MEMORY, "its processes together are over the memory limit"),
    "scratch": (Status.MEMORY, "its scratch folder is over the limit"),
}


def report_of(ending: Ending) -> dict[str, Any]:
    """Return the report of a process that ran tests, empty if it left none."""
    try:
        report = json.loads(ending.result)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def judge(
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


def judge_script(
    ending: Ending, printed: str | None, wanted: str, limits: Limits
) -> tuple[Status, str]:
    """Return the verdict on one process: how it ended first, then what it printed."""
    if printed is None:
        return Status.FAILED, "it printed far more than was expected"
    if ending.killed is not None or ending.signal is not None:
        return _cause_of_death(ending, limits)
    if ending.exit:
        status = Status.MEMORY if "\nMemoryError" in ending.output[-500:] else Status.FAILED
        return status, f"it raised: {ending.output[-1000:]}"
    found = difference(printed, wanted)
    return (Status.FAILED if found else Status.PASSED), found


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


def decode_outputs(report: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values that a program of style `record` returned."""
    try:
        return tuple(Decoder().decode(tree) for tree in report.get("outputs", []))
    except MalformedError:
        return ()
