"""What hostile programs get at every level of this machine: verdicts, and harm; as JSON.

    python bench/hostile.py --data ../shared [--process] [--as-user /usr/bin/python3] --out r.json

Every hostile solution and every control is run at every level that works here. Counted are

* `passed`: hostile solutions that were given a pass; `controls_failed`: honest ones that were not;
* `infra_error`, and `late`: no verdict within the wall limit and 1.5 s;
* harm: `files` of the canary folder changed or added, `connections` that arrived, `leaks` of a
  secret of the environment into what was kept of the output, `orphans` half a second after the
  end, `temporary` folders left behind.

`--process` adds the level without a sandbox, which promises verdicts only: use a machine that may
be spoilt. `--as-user PYTHON` runs it all once more as an ordinary user, under an interpreter that
this user may read (root only). Only the standard library and `debias_eval.execution` are needed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debias_eval.execution import Executor, Limits, Outcome, Program, Status, probe
from debias_eval.execution.levels import LEVELS

CANARY = Path("/home/canary")  # the cases name it
SECRET = "debias-canary-secret"
PORT, ABSTRACT = 9999, "\0debias-canary"
NOBODY = 65534
CPU_SECONDS = 1.0
ORPHAN_SECONDS = 0.5
PR_SET_CHILD_SUBREAPER = 36


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def program(case: dict[str, Any]) -> Program:
    generated = "".join(text * times for text, times in case.get("solution_gen") or ())
    return Program(
        case["id"],
        generated or case["solution"],
        case["test"],
        case["entry_point"],
        limits=Limits(cpu=CPU_SECONDS),
    )


class Listeners:
    """A TCP port and an abstract socket of the host, and how often somebody arrived."""

    def __init__(self) -> None:
        self.arrived = 0
        self._selector = selectors.DefaultSelector()
        tcp, unix = socket.socket(), socket.socket(socket.AF_UNIX)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", PORT))
        unix.bind(ABSTRACT)
        for sock in (tcp, unix):
            sock.listen()
            self._selector.register(sock, selectors.EVENT_READ)
        self._sockets = (tcp, unix)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            for key, _events in self._selector.select(0.1):
                key.fileobj.accept()[0].close()  # type: ignore[union-attr]
                self.arrived += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for sock in self._sockets:
            sock.close()


@contextlib.contextmanager
def canary_folder() -> Iterator[Path | None]:
    """A folder that everybody may spoil, if it can be made; None if not."""
    try:
        CANARY.mkdir()
    except OSError:
        yield CANARY if (CANARY / "data.txt").is_file() else None
        return
    CANARY.chmod(0o777)
    (CANARY / "data.txt").write_text("canary")
    (CANARY / "data.txt").chmod(0o666)
    try:
        yield CANARY
    finally:
        for file in CANARY.iterdir():
            file.unlink()
        CANARY.rmdir()


def snapshot(folder: Path | None) -> dict[str, bytes]:
    if folder is None:
        return {}
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def children() -> set[int]:
    text = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii")
    return {int(word) for word in text.split()}


def temporary() -> set[str]:
    return {entry.name for entry in Path(tempfile.gettempdir()).glob("debias-*")}


def judge(level: str, cases: list[dict[str, Any]]) -> tuple[dict[str, Outcome], int]:
    """Return the outcomes, and how many processes outlived the executor by half a second."""
    before = children()
    with Executor(level, allow_unsandboxed=level == "process") as executor:
        outcomes = {outcome.id: outcome for outcome in executor.run(map(program, cases))}
    time.sleep(ORPHAN_SECONDS)
    return outcomes, len(children() - before)


def run_level(
    level: str, hostile: list[dict[str, Any]], controls: list[dict[str, Any]]
) -> dict[str, Any]:
    with canary_folder() as folder:
        files, folders, listeners = snapshot(folder), temporary(), Listeners()
        start = time.perf_counter()
        try:
            outcomes, orphans = judge(level, hostile + controls)
        finally:
            listeners.close()
        seconds = time.perf_counter() - start
        after = snapshot(folder)
        left = temporary() - folders
    attacks = [outcomes[case["id"]] for case in hostile]
    honest = [outcomes[case["id"]] for case in controls]
    limit = Limits(cpu=CPU_SECONDS).wall_seconds + 1.5
    return {
        "seconds": round(seconds, 1),
        "hostile": len(hostile),
        "passed": [o.id for o in attacks if o.status is Status.PASSED],
        "controls": len(controls),
        "controls_failed": [o.id for o in honest if o.status is not Status.PASSED],
        "infra_error": [o.id for o in attacks if o.status is Status.INFRA_ERROR],
        "late": [o.id for o in attacks if o.wall_seconds > limit],
        "statuses": dict(Counter(str(o.status) for o in attacks)),
        "harm": {
            "files": "not looked at"
            if folder is None
            else sorted(n for n in files.keys() | after.keys() if files.get(n) != after.get(n)),
            "connections": listeners.arrived,
            "leaks": [o.id for o in attacks if SECRET in o.output + o.detail],
            "orphans": orphans,
            "temporary": sorted(left),
        },
    }


def as_user(python: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run this file as an ordinary user; its result."""

    def become() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)

    source = Path(__file__).resolve().parent.parent / "packages/debias-eval/src"
    command = [python, str(Path(__file__).resolve()), "--data", str(arguments.data.resolve())]
    command += ["--process"] if arguments.process else []
    with canary_folder():
        done = subprocess.run(
            command,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(source),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            cwd="/",
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=become,  # no thread is running
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(os.environ.get("DEBIAS_SHARED", "../shared"))
    parser.add_argument("--data", type=Path, default=default, help="folder with `cases/`")
    parser.add_argument("--process", action="store_true", help="the unprotected level too")
    parser.add_argument("--as-user", metavar="PYTHON", help="once more as an ordinary user")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become our children
    os.environ["DEBIAS_CANARY_TOKEN"] = SECRET
    hostile = read(arguments.data / "cases/hostile_solutions.jsonl")
    controls = read(arguments.data / "cases/hostile_controls.jsonl")
    result: dict[str, Any] = {"user": os.geteuid(), "levels": {}}
    for level in LEVELS:
        if level == "process" and not arguments.process:
            continue
        found = probe(level)
        result["levels"][level] = (
            run_level(level, hostile, controls)
            if found.available
            else {"unavailable": found.reason}
        )
    if arguments.as_user:
        result["as_user"] = as_user(arguments.as_user, arguments)
    text = json.dumps(result, indent=2)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    if not hasattr(os, "pidfd_open"):
        sys.exit("needs Linux")
    main()
