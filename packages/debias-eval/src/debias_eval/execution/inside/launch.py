"""From an ordinary interpreter to the first process of a sandbox: user, namespaces, root folder."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

from debias_eval.execution.inside import kernel, layout

_INNER_ID = 1000
_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)
_FAILED = 70
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def enter_namespaces(uid: int, gid: int, *, keep_fd: int, libraries: tuple[str, ...]) -> int | None:
    """Return in the first process of new namespaces, with all capabilities in them and no more.

    Two processes stay behind and only wait: the one that was called, which alone has the right to
    write the user map, and the one that made the namespaces. If any dies, all inside die.

    Args:
        uid: the user of the host that the sandbox runs as; other than the caller's only if the
            caller is root.
        gid: the same for the group.
        keep_fd: a descriptor that only the returning process keeps open.
        libraries: folders to show inside besides the interpreter's own.

    Returns:
        What `layout.build_root` returns.
    """
    ready_r, ready_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    if os.geteuid() == 0:
        os.setgroups([])
    middle = os.fork()
    if middle:
        os.close(keep_fd)
        os.close(ready_w)
        if os.read(ready_r, 1):
            _write_maps(middle, uid, gid)
            os.write(mapped_w, b"m")
        _wait_and_exit(middle)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    kernel.unshare(_NAMESPACES)
    os.write(ready_w, b"r")
    os.close(mapped_w)
    if not os.read(mapped_r, 1):
        os._exit(_FAILED)
    # Still the caller's user outside, which may pass folders that `uid` may not.
    paths = layout.interpreter_paths(libraries)
    links = {p: os.path.realpath(p) for p in (*sys.path, *libraries) if layout.reachable(p)}
    sources = layout.open_sources(paths)
    os.setresgid(_INNER_ID, _INNER_ID, _INNER_ID)
    os.setresuid(_INNER_ID, _INNER_ID, _INNER_ID)
    # Changing the user cleared both.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    for fd in (ready_r, ready_w, mapped_r):
        os.close(fd)
    first = os.fork()
    if first:
        os.close(keep_fd)
        _wait_and_exit(first)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    return layout.build_root(sources, links={n: to for n, to in links.items() if n != to})


def offer_loopback() -> None:
    """Bring up the loopback device of the new network namespace, which leads nowhere else."""
    request = struct.pack("16sH14x", b"lo", _IFF_UP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    layout.name_localhost()


def _write_maps(pid: int, uid: int, gid: int) -> None:
    folder = Path(f"/proc/{pid}")
    if os.geteuid() != 0:
        (folder / "setgroups").write_text("deny", encoding="ascii")
    (folder / "uid_map").write_text(f"{_INNER_ID} {uid} 1\n", encoding="ascii")
    (folder / "gid_map").write_text(f"{_INNER_ID} {gid} 1\n", encoding="ascii")


def _wait_and_exit(pid: int) -> None:
    _pid, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def become(uid: int, gid: int) -> None:
    """Change from root to another user for good, and keep the standard library importable.

    Where the interpreter lies below a folder that only root may pass, `sys.path` is rewritten to
    go through a descriptor of it that root has opened.
    """
    anchors = {p: os.open(p, os.O_PATH) for p in sys.path if Path(p).is_dir() and not _passable(p)}
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if not anchors:
        return
    names = {path: f"/proc/self/fd/{fd}" for path, fd in anchors.items()}
    sys.path[:] = [names.get(p, p) for p in sys.path]
    for module in list(sys.modules.values()):
        search = getattr(module, "__path__", None)
        if isinstance(search, list):
            search[:] = [_rename(p, names) for p in search]
    sys.path_importer_cache.clear()


def _passable(path: str) -> bool:
    """Return whether every user may pass all folders on the way to `path`."""
    real = Path(os.path.realpath(path))
    return all(folder.stat().st_mode & 0o001 for folder in (real, *real.parents))


def _rename(path: str, names: dict[str, str]) -> str:
    for old, new in sorted(names.items(), key=lambda item: -len(item[0])):
        if path == old or path.startswith(old + "/"):
            return new + path[len(old) :]
    return path
