"""Level container: a command of the user's, here bubblewrap's, where it works."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from debias_eval.execution import Executor, Program, SandboxUnavailableError, Status, probe

PYTHON = Path(os.path.realpath(sys.executable))


def bubblewrap() -> str:
    shown = sorted({"/usr", str(Path(sys.base_prefix).resolve())})
    names = [name for name in ("lib", "lib64", "bin") if Path("/", name).is_symlink()]
    words = [
        "bwrap --unshare-all --uid 65534 --gid 65534 --die-with-parent",
        *(f"--ro-bind {folder} {folder}" for folder in shown),
        *(f"--symlink usr/{name} /{name}" for name in names),
        "--proc /proc --dev /dev --tmpfs /tmp --bind {folder} {folder}",
        str(PYTHON),
    ]
    return " ".join(words)


@pytest.fixture(scope="module")
def command() -> str:
    if shutil.which("bwrap") is None:
        pytest.skip("needs bubblewrap (bwrap)")
    found = probe("container", bubblewrap())
    if not found.available:
        pytest.skip(f"bubblewrap does not work here: {found.reason}")
    return bubblewrap()


def program(name: str, body: str) -> Program:
    return Program(
        id=name,
        solution=f"import os, signal\ndef f(x):\n    {body}",
        test="assert f(1) == 2",
        entry_point="f",
        style="asserts",
    )


def test_honest_programs_pass_and_others_do_not(command: str) -> None:
    bodies = {
        "right": "return x + 1",
        "wrong": "return x",
        "equal to all": "return type('A', (), {'__eq__': lambda a, b: True})()",
        "ends its parent": "os.kill(os.getppid(), signal.SIGKILL)",
        "leaves": "os._exit(0)",
    }
    with Executor("container", python=command, workers=1) as executor:
        outcomes = list(executor.run(program(name, body) for name, body in bodies.items()))
    passed = {outcome.id for outcome in outcomes if outcome.status is Status.PASSED}
    assert passed == {"right"}
    assert {(outcome.level, outcome.split) for outcome in outcomes} == {("container", True)}


def test_shared_folders_are_removed(command: str) -> None:
    with Executor("container", python=command, workers=1) as executor:
        list(executor.run([program("right", "return x + 1")]))
        shared = set(Path(tempfile.gettempdir()).glob("debias-container-*"))
    assert shared
    assert not any(folder.exists() for folder in shared)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", r"\{folder\}"),
        ("python3", r"\{folder\}"),
        ("false {folder}", "ended with exit code 1"),
        ("sh -c 'echo no such image >&2; exit 125' {folder}", "no such image"),
        ("no-such-program {folder}", "No such file"),
        (f"env FOLDER={{folder}} {PYTHON}", "a file of the host could be opened"),
    ],
)
def test_commands_that_do_not_contain_are_refused(command: str, reason: str) -> None:
    with pytest.raises(SandboxUnavailableError, match=reason):
        Executor("container", python=command)
