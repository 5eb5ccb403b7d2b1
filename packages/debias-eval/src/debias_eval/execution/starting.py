"""How a zygote's process is started: beside this one, or in a container that the user names."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from debias_eval.execution.errors import SandboxUnavailableError
from debias_eval.execution.inside.box import remove_tree

FOLDER = "{folder}"
BOOT_SECONDS = 30.0
_INSIDE = Path(__file__).parent / "inside"
_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8")
_TOKEN_BYTES = 32
_POLL_SECONDS = 0.1
_SAID = 300


class Started(NamedTuple):
    """A process, this end of the stream to it, and the folder to remove when it has ended."""

    process: subprocess.Popen[bytes]
    stream: socket.socket
    folder: str | None = None


def start_beside(python: str) -> Started:
    """Return a zygote of this machine under an interpreter; it inherits its end of the stream."""
    ours, theirs = socket.socketpair()
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
    env["PYTHONHASHSEED"] = "0"  # the order of sets is the same in every run
    if "LD_LIBRARY_PATH" in os.environ:  # the interpreter may not start without
        env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    with theirs:
        process = subprocess.Popen(
            [python or sys.executable, *_FLAGS, str(_INSIDE / "zygote.py"), str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Started(process, ours)


def start_in_container(command: str) -> Started:
    """Return a zygote that a user's command runs, connected through a socket in a shared folder.

    Args:
        command: starts a Python in a container with its standard input open; `{folder}` stands
            for the folder that the container must show under the same name, which holds the
            zygote's code and the socket.

    Raises:
        SandboxUnavailableError: no `{folder}` in the command.
        OSError: it cannot be started, ended, or did not connect in time.
    """
    folder = tempfile.mkdtemp(prefix="debias-container-")
    try:
        words = container_words(command, folder)
        Path(folder).chmod(0o755)  # the container's user may be another one
        inside = Path(folder, "debias_eval", "execution", "inside")
        shutil.copytree(_INSIDE, inside, ignore=shutil.ignore_patterns("__pycache__"))
        place = Path(folder, "zygote.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
            place.chmod(0o777)
            listener.listen()
            complaints = Path(folder, "stderr")
            with complaints.open("wb") as stderr:
                process = subprocess.Popen(
                    [*words, *_FLAGS, str(inside / "zygote.py"), str(place)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    start_new_session=True,
                )
            try:
                return Started(process, _accepted(process, listener), folder)
            except OSError as error:
                process.kill()
                process.wait()
                said = complaints.read_text("utf-8", "replace").strip()[-_SAID:]
                raise OSError(f"{error}: {said}" if said else str(error)) from error
    except BaseException:
        remove_tree(folder)
        raise


def container_words(command: str, folder: str) -> list[str]:
    """Return the words of a container's command that shows a folder.

    Raises:
        SandboxUnavailableError: it lacks `{folder}`.
    """
    if FOLDER not in command:
        raise SandboxUnavailableError(
            "level container needs the command of a Python in a container as its interpreter, "
            f"with {FOLDER} where the shared folder belongs; for one: docker run --rm -i "
            f"--network none -v {FOLDER}:{FOLDER}:ro python:3.11-slim python"
        )
    return [word.replace(FOLDER, folder) for word in shlex.split(command)]


def _accepted(process: subprocess.Popen[bytes], listener: socket.socket) -> socket.socket:
    """Return the stream of the one that knows what only the command's standard input said."""
    deadline = time.monotonic() + BOOT_SECONDS
    token = secrets.token_hex(_TOKEN_BYTES // 2).encode("ascii")
    assert process.stdin is not None
    # where the command has ended already, its exit code says more
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(token + b"\n")
    while not select.select([listener], [], [], _POLL_SECONDS)[0]:
        if process.poll() is not None:
            raise OSError(f"the command ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise OSError(f"nothing connected within {BOOT_SECONDS:.0f} s")
    stream, _address = listener.accept()
    stream.settimeout(BOOT_SECONDS)
    if stream.recv(_TOKEN_BYTES, socket.MSG_WAITALL) != token:
        stream.close()
        raise OSError("somebody else connected to the container's socket")
    return stream
