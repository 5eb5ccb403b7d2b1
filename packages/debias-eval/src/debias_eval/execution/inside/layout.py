"""Which files of the host the interpreter needs, and a root folder that holds nothing else."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from debias_eval.execution.inside import kernel

SCRATCH_PARENT = "/box"
SCRATCH = "/box/work"
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_LOADER_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
_SYSTEM = ("/usr/bin", "/bin", "/lib64", "/etc/alternatives")  # /lib64 holds their loader
_PROGRAM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64")  # what they load is executed too
_NAMES = {"/etc/hosts": "127.0.0.1 localhost\n", "/etc/nsswitch.conf": "hosts: files\n"}
_LIBRARY_LINKS = ("/lib", "/lib32", "/lib64", "/usr/lib64", "/bin")
_STAGE = "/tmp"  # noqa: S108 - a mount point in a private namespace; nothing is written there
# the flags of a mount that a user namespace must not clear when it remounts (statvfs, mount(2))
_LOCKED_FLAGS = (
    (os.ST_NOSUID, kernel.MS_NOSUID),
    (os.ST_NODEV, kernel.MS_NODEV),
    (os.ST_NOEXEC, kernel.MS_NOEXEC),
    (os.ST_NOATIME, kernel.MS_NOATIME),
    (os.ST_NODIRATIME, kernel.MS_NODIRATIME),
    (os.ST_RELATIME, kernel.MS_RELATIME),
)


def interpreter_paths(libraries: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the files and folders to read: the standard library, shared objects, `libraries`.

    Absolute and resolved, none inside another.
    """
    paths = {*sys.path, *libraries, *loader_paths()}
    ordered: list[str] = []
    for path in sorted({os.path.realpath(p) for p in paths if reachable(p)}):
        if not any(path == done or path.startswith(done + "/") for done in ordered):
            ordered.append(path)
    return tuple(ordered)


def loader_paths() -> tuple[str, ...]:
    """Return what the dynamic loader reads.

    Shared objects are found where the running interpreter has loaded its own from: extension
    modules that are imported later link against the same folders.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    mapped = {Path(line.split(None, 5)[5]) for line in maps.splitlines() if "/" in line}
    folders = {str(path.parent) for path in mapped if ".so" in path.name}
    return tuple(p for p in sorted(folders | set(_LOADER_FILES)) if reachable(p))


def reachable(path: str) -> bool:
    """Return whether `path` exists and every folder on the way may be passed."""
    try:
        return bool(path) and Path(path).exists()
    except PermissionError:
        return False


def interpreter_folder() -> str:
    """Return the folder of the running interpreter, whose name has no links by then."""
    return str(Path(sys.executable).parent)


def system_paths() -> tuple[str, ...]:
    """Return the files and folders that it takes to start programs of the system."""
    return tuple(path for path in (*_SYSTEM, interpreter_folder()) if reachable(path))


def program_folders() -> tuple[str, ...]:
    """Return where programs may be executed in: the system's, the interpreter's, the scratch's."""
    folders = (*_PROGRAM_FOLDERS, interpreter_folder(), SCRATCH_PARENT)
    return tuple(path for path in folders if reachable(path))


def name_localhost() -> None:
    """Write the files by which `localhost` is found, into the new root."""
    for name, text in _NAMES.items():
        place = Path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="ascii")


def open_sources(paths: tuple[str, ...]) -> dict[str, int]:
    """Return a descriptor of each path and device, to be bound later under another user."""
    return {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (*paths, *DEVICES)}


def build_root(sources: dict[str, int], *, links: dict[str, str]) -> int | None:
    """Replace the root folder by one that holds `sources` (read-only), `/box` and four devices.

    Needs its own mount namespace and the right to mount in it.

    Args:
        sources: resolved path to open descriptor (closed here); they keep their names.
        links: further symbolic links, name to target, such as the unresolved `sys.path`.

    Returns:
        A folder descriptor of the list of this namespace's processes, which no name leads to;
        None where the kernel refuses it, as it does in containers that mask parts of `/proc`.
    """
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    linked = [Path(name) for name in _LIBRARY_LINKS if Path(name).is_symlink()]
    found = {str(place): str(place.readlink()) for place in linked}
    tmpfs = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", _STAGE, fstype="tmpfs", flags=tmpfs, data="size=1m,mode=755")
    for path, fd in sources.items():
        _bind(fd, _STAGE + path, writable=path in DEVICES)
        os.close(fd)
    Path(_STAGE + SCRATCH).mkdir(parents=True)
    wanted = {"/tmp": SCRATCH, "/dev/shm": SCRATCH, **found, **links}  # noqa: S108 - names only
    for name, target in wanted.items():
        _link(Path(_STAGE + name), target)
    Path(_STAGE + "/proc").mkdir(exist_ok=True)
    proc_fd = _open_proc(_STAGE + "/proc")
    os.chdir(_STAGE)
    kernel.pivot_root_here()
    return proc_fd


def _bind(fd: int, target: str, *, writable: bool) -> None:
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    kernel.mount(f"/proc/self/fd/{fd}", target, flags=kernel.MS_BIND | kernel.MS_REC)
    if writable:
        return
    have = os.statvfs(target).f_flag
    kept = sum(mount_flag for bit, mount_flag in _LOCKED_FLAGS if have & bit)
    flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kept
    kernel.mount("", target, flags=flags)


def _link(place: Path, target: str) -> None:
    if not (place.exists() or place.is_symlink()):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _open_proc(place: str) -> int | None:
    # Only while the old root is there: the kernel shows a new /proc to those who see a whole one.
    try:
        kernel.mount("proc", place, fstype="proc", flags=kernel.MS_NOSUID | kernel.MS_NODEV)
    except OSError:
        return None
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.umount_detached(place)
    return fd


def freeze_root() -> None:
    """Make the root folder itself read-only."""
    flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
    kernel.mount("", "/", flags=flags | kernel.MS_NOSUID | kernel.MS_NODEV)
