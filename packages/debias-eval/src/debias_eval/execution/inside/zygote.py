"""A process that is started clean, enters its sandbox, and forks one child a job.

Run as a file by a bare interpreter (`python -P -s -S zygote.py CONTROL`), so that no child has
more in it than the standard library; CONTROL is a descriptor, or in a container a socket's path.
A job names a role: `worker` runs a solution, `test` runs tests against the stub of a solution,
`unsplit` runs both together, `script` runs a solution as a program with standard input and
output. A zygote is only ever asked for one role, so the memory that a worker is forked from has
never held a test.

The zygote itself never runs foreign code. It watches its child (time, the namespace's total
memory, output), kills it by pidfd, waits for it, and reports how it ended.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

if __name__ == "__main__":  # make this package importable without its parents' own modules
    _parents = Path(__file__).resolve().parents
    for _name, _folder in (("debias_eval", _parents[2]), ("debias_eval.execution", _parents[1])):
        _module = types.ModuleType(_name)
        _module.__path__ = [str(_folder)]
        sys.modules[_name] = _module

import gc
import importlib
import json
import select
import signal
import socket
import tempfile
import time
import traceback
from typing import TYPE_CHECKING, Any

from debias_eval.execution.inside import kernel, launch, layout
from debias_eval.execution.inside.box import Box, Caps, HardenedBox, PlainBox
from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import RESULT_BYTES, printable
from debias_eval.execution.inside.watch import Tail, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

JOB_BYTES = 64 << 20
_POLL_SECONDS = 0.05
_ROLES = {"worker": "worker", "test": "tester", "unsplit": "unsplit", "script": "script"}
_WITHOUT_RESULT = ("worker", "script")
# What solutions import most: loaded once here instead of in every child.
_PRELOAD = (
    "bisect", "cmath", "collections.abc", "copy", "dataclasses", "datetime", "decimal", "fractions",
    "functools", "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics",
    "string", "typing",
)  # fmt: skip


def main() -> None:
    """Boot, then serve jobs until the judge goes away."""
    control = Channel(_connect(sys.argv[1]), max_bytes=JOB_BYTES)
    boot = control.recv()
    for name in _PRELOAD:
        importlib.import_module(name)
    role = importlib.import_module(f"debias_eval.execution.inside.{_ROLES[boot['role']]}").main
    try:
        box = _make_box(boot, control.fileno())
    except OSError as error:
        control.send({"error": f"{type(error).__name__}: {error}"})
        return
    gc.collect()
    gc.freeze()
    control.send({"ready": True, "watches_all": box.proc_fd is not None})
    while True:
        try:
            job, fds = control.recv_with_fds()
        except ChannelClosedError:
            return
        if "caps" in job:  # else a request to stop that came too late
            _serve(control, (box, role), job, fds)


def _connect(where: str) -> socket.socket:
    """Return the stream to the judge: inherited, or a socket that is told what stdin says."""
    if where.isdecimal():
        return socket.socket(fileno=int(where))
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(where)
    stream.sendall(sys.stdin.readline().strip().encode("ascii"))
    return stream


def _make_box(boot: dict[str, Any], control_fd: int) -> Box:
    uid, gid = int(boot["uid"]), int(boot["gid"])
    libraries = tuple(boot["libraries"])
    sys.path[:] = [p for p in sys.path if Path(p).exists()]
    if boot["level"] == "hardened":
        system = bool(boot["system"])
        if system:  # links are followed while the whole root is there
            sys.executable = os.path.realpath(sys.executable)
        shown = libraries + (layout.system_paths() if system else ())
        proc_fd = launch.enter_namespaces(uid, gid, keep_fd=control_fd, libraries=shown)
        if system:
            launch.offer_loopback()
        return HardenedBox(proc_fd, libraries, system=system)
    if os.geteuid() == 0:
        launch.become(uid, gid)
    scratch = boot["scratch"] or tempfile.mkdtemp(prefix="debias-exec-")  # a container has its own
    return PlainBox(scratch, libraries, locked=boot["level"] == "landlock")


def _serve(
    control: Channel, place: tuple[Box, Callable[..., None]], job: dict[str, Any], fds: list[int]
) -> None:
    box = place[0]
    caps = Caps(**job["caps"])
    output_r, output_w = os.pipe()
    result_r, result_w = os.pipe()
    box.before_fork()
    try:
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(place, job, caps, (fds, result_w, output_w))
        pidfd = os.pidfd_open(pid)
    finally:
        box.after_fork()
    for fd in (*fds, output_w, result_w):
        os.close(fd)
    output, result = Tail(output_r, caps.output), Tail(result_r, RESULT_BYTES)
    watch = Watch(pid, pidfd, caps, box)
    ended = _wait(control, watch, (output, result))
    wall = time.monotonic() - started
    _pid, status, usage = os.wait4(pid, 0)
    os.close(pidfd)
    box.finish()
    for tail in (output, result):
        tail.drain()
        os.close(tail.fd)
    code = os.waitstatus_to_exitcode(status)
    control.send(
        {
            "killed": watch.reason,
            "exit": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "cpu": max(usage.ru_utime + usage.ru_stime, watch.cpu),
            "wall": wall,
            "output": printable(output.text(), caps.output * 2 + 200),
            # Longer than any report: a program that runs unsplit can write here too.
            "result": result.text() if result.size <= RESULT_BYTES else "",
        }
    )
    if ended == "closed":
        os._exit(0)


def _wait(control: Channel, watch: Watch, tails: tuple[Tail, ...]) -> str:
    """Return when the child has ended or been killed: on its own, by a limit, or by the judge."""
    poller = select.poll()
    poller.register(control.fileno(), select.POLLIN)
    poller.register(watch.pidfd, select.POLLIN)
    by_fd = {tail.fd: tail for tail in tails}
    for fd in by_fd:
        poller.register(fd, select.POLLIN)
    ended = "exit"
    while True:
        ready = {fd for fd, _event in poller.poll(_POLL_SECONDS * 1000)}
        for fd in ready & by_fd.keys():
            if not by_fd[fd].read():
                poller.unregister(fd)
        if watch.pidfd in ready:
            return ended
        if control.fileno() in ready and watch.reason is None:
            poller.unregister(control.fileno())
            try:
                control.recv()
                watch.kill("stopped")
            except ChannelClosedError:
                watch.kill("closed")
                ended = "closed"
        watch.check()


def _child(
    place: tuple[Box, Callable[..., None]],
    job: dict[str, Any],
    caps: Caps,
    fds: tuple[list[int], int, int],
) -> None:
    """Never return. What fails before foreign code runs is reported as a fault of the machine."""
    box, role = place
    given, result, output = fds
    name = role.__module__.rpartition(".")[2]
    exchange = given[0] if given and name != "script" else None
    try:
        try:
            _reset_signals()
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            read, write = given if name == "script" else (null, output)
            for source, target in ((read, 0), (write, 1), (output, 2)):
                os.dup2(source, target)
            box.enter(caps)
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not pass unseen
            os.write(result, json.dumps({"setup": f"{type(error).__name__}: {error}"}).encode())
            os._exit(1)
        keep = [0, 1, 2, *box.keep_fds]
        keep += [fd for fd in (exchange,) if fd is not None]
        keep += [result] if name not in _WITHOUT_RESULT else []
        kernel.close_all_but(tuple(keep))
        role(job, exchange, result)
    except BaseException:  # noqa: BLE001 - the traceback belongs into the output
        traceback.print_exc()
        os._exit(1)
    finally:
        os._exit(0)


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main()
