"""The process of the tests: trusted code against a stub, and the only source of a verdict."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import os
import socket
import types
from typing import Any

from debias_eval.execution.inside import names
from debias_eval.execution.inside.channel import Channel
from debias_eval.execution.inside.compare import same_output
from debias_eval.execution.inside.session import (
    ExchangeOverError,
    Session,
    UnsplittableError,
    make_stub,
)
from debias_eval.execution.inside.values import RESULT_BYTES, Decoder, printable, stdlib_module

_TESTS_FILE = "<tests>"


class _NoEntryError(Exception):
    """The solution does not define what the tests call."""


def main(job: dict[str, Any], exchange: int | None, result: int) -> None:
    """Run one job and write its report, a JSON object, to `result`.

    The report has `status` (passed, failed, memory, error, unsplittable), `detail`, `calls`,
    `failure` (died, protocol or null) and, for style `record`, `outputs`: the first so many.
    """
    assert exchange is not None
    session = Session(Channel(socket.socket(fileno=exchange)))
    outputs: list[Any] = []
    status, detail = _verdict(session, job, outputs)
    if status == "passed" and session.failure is not None:
        status, detail = "failed", session.failure_detail
    report = {
        "status": status,
        "detail": printable(detail),
        "calls": session.calls,
        "failure": session.failure,
        "outputs": outputs,
    }
    data = json.dumps(report).encode("ascii")
    if len(data) > RESULT_BYTES:
        report |= {"status": "error", "outputs": [], "detail": "all outputs together: too large"}
        data = json.dumps(report).encode("ascii")
    while data:
        data = data[os.write(result, data) :]


def _verdict(  # noqa: PLR0911 - one row a way to end
    session: Session, job: dict[str, Any], outputs: list[Any]
) -> tuple[str, str]:
    try:
        refused = _await_solution(session)
        if refused is not None:
            return refused
        _STYLES[job["style"]](session, job, outputs)
        if session.calls == 0:
            return "error", "the tests never called the solution"
    except _NoEntryError as error:
        return "error", str(error)
    except UnsplittableError as error:
        return "unsplittable", str(error)
    except ExchangeOverError as error:
        return "failed", str(error)
    except AssertionError as error:
        return "failed", f"AssertionError: {error} {_where(error, job)}".strip()
    except MemoryError as error:
        return "memory", f"MemoryError {_where(error, job)}"
    except BaseException as error:  # noqa: BLE001 - test code lets through what the solution raises
        return "failed", f"{type(error).__name__}: {error} {_where(error, job)}".strip()
    return "passed", ""


def _await_solution(session: Session) -> tuple[str, str] | None:
    """Return a verdict if the solution cannot be loaded, else None."""
    compiled = False
    while True:
        message = session.receive()
        if message.get("loaded") is True:
            return None
        if message.get("loaded") is False:
            break
        if message.get("compiled") is not True:
            session.failure = "protocol"
            return "error", "an unexpected first frame"
        compiled = True
    text = f"{message.get('raised')}: {message.get('text')} (line {message.get('line')})"
    if not compiled:
        return "error", f"does not compile: {text}"
    return ("memory" if message.get("raised") == "MemoryError" else "failed"), f"at import: {text}"


def _run_check(session: Session, job: dict[str, Any], _outputs: list[Any]) -> None:
    entry = job["entry_point"]
    tree = ast.parse(job["test"], _TESTS_FILE)
    namespace = _namespace(session, job, tree, [entry])
    exec(compile(tree, _TESTS_FILE, "exec"), namespace)  # noqa: S102 - trusted, and sandboxed
    check = namespace.get("check")
    if not callable(check):
        raise _NoEntryError("the test defines no function `check`")
    check(namespace["__candidate__"])


def _run_asserts(session: Session, job: dict[str, Any], _outputs: list[Any]) -> None:
    tree = ast.parse(f"{job['setup']}\n{job['test']}", _TESTS_FILE)
    entries = [job["entry_point"]] if job["entry_point"] else names.entry_points(tree)
    namespace = _namespace(session, job, tree, entries)
    exec(compile(tree, _TESTS_FILE, "exec"), namespace)  # noqa: S102 - trusted, and sandboxed


def _run_io(session: Session, job: dict[str, Any], _outputs: list[Any]) -> None:
    stub = _entry_stub(session, job["entry_point"])
    for index, (args, expected) in enumerate(zip(_inputs(job), _expected(job), strict=True)):
        got = stub(*copy.deepcopy(args))
        rule = {"atol": job["atol"], "mode": job["compare"], "args": args}
        if not same_output(got, expected, **rule):
            where = job["first"] + index
            raise AssertionError(f"input {where}: {_shown(got)} is not {_shown(expected)}")


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.300}"
    except ValueError:  # an integer of more digits than Python prints
        return "(a huge integer)"


def _run_record(session: Session, job: dict[str, Any], outputs: list[Any]) -> None:
    """Append outputs until they fill a report; the judge asks for the rest in another job."""
    stub = _entry_stub(session, job["entry_point"])
    size = 0
    for args in _inputs(job):
        value = stub(*args)
        if job["compare"] == "not_none":  # a match object, say, has no plain form
            value = value is not None
        tree = session.encode(value)
        size += len(json.dumps(tree)) + 2
        if outputs and size > RESULT_BYTES // 2:
            return
        outputs.append(tree)


_STYLES = {"check": _run_check, "asserts": _run_asserts, "io": _run_io, "record": _run_record}


def _inputs(job: dict[str, Any]) -> list[list[Any]]:
    return [Decoder().decode(tree) for tree in job["inputs"]]


def _expected(job: dict[str, Any]) -> list[Any]:
    return [Decoder().decode(tree) for tree in job["expected"]]


def _entry_stub(session: Session, entry: str) -> Any:
    kind = session.describe([entry.partition(".")[0]])[entry.partition(".")[0]]
    if kind not in ("function", "class"):
        raise _NoEntryError(f"the solution does not define {entry!r}")
    return make_stub(session, entry, "function")


def _namespace(
    session: Session, job: dict[str, Any], tree: ast.Module, entries: list[str]
) -> dict[str, Any]:
    """Return the globals of the tests: trusted helpers, and stubs for what the solution defines."""
    module = types.ModuleType("tests")
    namespace = vars(module)
    helpers = ast.parse(job["helpers"], "<helpers>")
    exec(compile(helpers, "<helpers>", "exec"), namespace)  # noqa: S102 - trusted, and sandboxed
    provided = set(namespace) - set(entries)
    wanted = sorted((names.free_names(tree) | set(entries)) - provided)
    kinds = session.describe(wanted)
    missing = [name for name in entries if kinds.get(name) not in ("function", "class")]
    if missing:
        raise _NoEntryError(f"the solution does not define {', '.join(missing)!r} as a function")
    for name, kind in kinds.items():
        if kind in ("function", "class"):
            namespace[name] = make_stub(session, name, kind)
        elif kind == "value":
            namespace[name] = session.global_value(name)
        elif kind.startswith("module:"):
            # The solution's import, made again here. A name that is a module's own means that one.
            target = name if stdlib_module(name) else kind.removeprefix("module:")
            if stdlib_module(target):
                namespace[name] = importlib.import_module(target)
    if len(entries) == 1:
        namespace["__candidate__"] = namespace[entries[0]]
    return namespace


def _where(error: BaseException, job: dict[str, Any]) -> str:
    """Return the line of the test that the error came from."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TESTS_FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None:
        return ""
    text = job["test"] if job["style"] == "check" else f"{job['setup']}\n{job['test']}"
    lines = text.splitlines()
    source = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return f"[{source[:300]}]"
