"""The three levels of isolation, as the steps that a zygote and its children take.

A zygote makes its box once, then per job calls `before_fork`, forks, calls `after_fork`; the
child calls `enter` before it looks at a single byte of foreign code, and cannot go back after it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from debias_eval.execution.inside import kernel, landlock, layout, seccomp

# A BLAS library that starts a thread a core needs gigabytes of address space for their stacks.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PROGRAMS = "/usr/bin:/bin"
_MAX_STRAYS = 10_000
_COUNT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits of one child, in seconds, bytes and counts."""

    cpu: float
    wall: float
    memory: int
    file_size: int
    scratch: int
    files: int
    tasks: int
    output: int


class Box(Protocol):
    """What every level can do."""

    proc_fd: int | None
    keep_fds: tuple[int, ...]

    def before_fork(self) -> None:
        """Prepare the next fork, in the zygote."""

    def after_fork(self) -> None:
        """Undo what `before_fork` left behind, in the zygote."""

    def enter(self, caps: Caps) -> None:
        """Lock the child in and move to its scratch folder."""

    def scratch_used(self) -> int:
        """Return the bytes in the scratch folder, where no file system bounds it; else 0."""

    def finish(self) -> None:
        """End and remove all that the child left, after its death, in the zygote."""


def set_limits(caps: Caps, *, tasks: int) -> None:
    """Set the kernel's own limits; the zygote watches time and the sum of memory besides."""
    seconds = int(caps.cpu) + 2
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: caps.memory,
        resource.RLIMIT_FSIZE: caps.file_size,
        resource.RLIMIT_NOFILE: caps.files,
        resource.RLIMIT_NPROC: tasks,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for what, value in wanted.items():
        _soft, ceiling = resource.getrlimit(what)
        if ceiling != resource.RLIM_INFINITY:
            value = min(value, ceiling)  # noqa: PLW2901 - clipped to what may be asked for
        resource.setrlimit(what, (value, value))


def _set_environment(scratch: str, programs: str) -> None:
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch, PATH=programs, LANG="C.UTF-8")
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    tempfile.tempdir = None


class HardenedBox:
    """Own user, process, network, mount and IPC namespaces; Landlock; seccomp.

    Made by the first process of a process namespace that holds every capability in its user
    namespace (see `launch.enter_namespaces`). Each child gets a further process namespace, whose
    first process it is, and a further mount namespace with a scratch tmpfs of its own.
    """

    keep_fds: tuple[int, ...] = ()

    def __init__(self, proc_fd: int | None, libraries: tuple[str, ...], *, system: bool) -> None:
        self.proc_fd = proc_fd
        layout.freeze_root()
        self._own = os.pidfd_open(os.getpid())
        self._ruleset = landlock.make_ruleset(
            readable=("/",),
            writable=(layout.SCRATCH_PARENT, *layout.DEVICES),
            executable=layout.program_folders() if system else (),
            tcp=system,
        )
        self._programs = f"{layout.interpreter_folder()}:{_PROGRAMS}" if system else _PROGRAMS
        self._filter = seccomp.make_filter(namespaces=True, pid=0)
        sys.path.extend(libraries)

    def before_fork(self) -> None:
        """See `Box`."""
        kernel.unshare(kernel.CLONE_NEWPID)

    def after_fork(self) -> None:
        """See `Box`: without this the next `unshare` would be refused."""
        kernel.setns(self._own, kernel.CLONE_NEWPID)

    def enter(self, caps: Caps) -> None:
        """See `Box`."""
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount(
            "tmpfs",
            layout.SCRATCH,
            fstype="tmpfs",
            flags=kernel.MS_NOSUID | kernel.MS_NODEV,
            data=f"size={caps.scratch},nr_inodes=8192,mode=700",
        )
        _set_environment(layout.SCRATCH, self._programs)
        set_limits(caps, tasks=caps.tasks)
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        landlock.restrict(self._ruleset)
        seccomp.install(self._filter)

    def scratch_used(self) -> int:
        """See `Box`: the tmpfs is bounded by itself."""
        return 0

    def finish(self) -> None:
        """See `Box`: the death of the namespace's first process has ended all the others."""


class PlainBox:
    """No namespaces: resource limits and a process group, with Landlock and seccomp or without.

    Args:
        scratch_root: an existing folder that this process may write to.
        libraries: further folders of importable modules.
        locked: add Landlock and seccomp (level `landlock`); else level `process`.
    """

    proc_fd: int | None = None

    def __init__(self, scratch_root: str, libraries: tuple[str, ...], *, locked: bool) -> None:
        sys.path.extend(libraries)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        # Nobody else of the same user may look into the memory of this process or its children.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        self._root = scratch_root
        self._scratch = scratch_root
        self._locked = locked
        self._spared = (os.getpid(), os.getppid())
        self._readable = tuple(
            p for p in (*sys.path, *layout.loader_paths()) if layout.reachable(p)
        )
        prefix = "/proc/self/fd/"
        through = [p.removeprefix(prefix) for p in sys.path if p.startswith(prefix)]
        self.keep_fds = tuple(int(name) for name in through)
        self._other_tasks = 0
        self._counted_at = -_COUNT_SECONDS

    def before_fork(self) -> None:
        """See `Box`."""
        self._scratch = tempfile.mkdtemp(prefix="job-", dir=self._root)
        if time.monotonic() - self._counted_at > _COUNT_SECONDS:
            self._counted_at = time.monotonic()
            self._other_tasks = _count_tasks(os.getuid())

    def after_fork(self) -> None:
        """See `Box`."""

    def enter(self, caps: Caps) -> None:
        """See `Box`."""
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
        _set_environment(self._scratch, _PROGRAMS)
        # Threads count by user, and this user may have other programs running.
        set_limits(caps, tasks=caps.tasks + self._other_tasks)
        kernel.no_new_privileges()
        if self._locked:
            devices = tuple(d for d in layout.DEVICES if Path(d).exists())
            ruleset = landlock.make_ruleset(
                readable=self._readable, writable=(self._scratch, *devices)
            )
            landlock.restrict(ruleset)
            os.close(ruleset)
            seccomp.install(seccomp.make_filter(namespaces=False, pid=os.getpid()))
        elif seccomp.supported():
            # Not a promise of this level, but the accident that would take the judge along.
            with contextlib.suppress(OSError):
                seccomp.install(seccomp.make_signal_filter(self._spared))

    def scratch_used(self) -> int:
        """See `Box`."""
        total = 0
        for folder, _dirs, files in os.walk(self._scratch):
            for name in files:
                try:
                    total += Path(folder, name).lstat().st_size
                except FileNotFoundError:  # it has just been removed
                    continue
        return total

    def finish(self) -> None:
        """See `Box`: orphans have become children of the zygote, their last ancestor."""
        _kill_strays()
        remove_tree(self._scratch)


def _children() -> list[int]:
    me = os.getpid()
    text = Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _kill_strays() -> None:
    for _ in range(_MAX_STRAYS):
        strays = _children()
        if not strays:
            return
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _count_tasks(uid: int) -> int:
    total = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid == uid:
                total += sum(1 for _ in os.scandir(f"{entry.path}/task"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total


def remove_tree(path: str) -> None:
    """Remove a folder whose modes may have been spoilt on purpose."""
    if not Path(path).exists():  # its own working folder is a program's to remove
        return
    Path(path).chmod(0o700)
    for folder, dirs, _files in os.walk(path):
        for name in dirs:
            place = Path(folder, name)
            if stat.S_ISDIR(place.lstat().st_mode):
                place.chmod(0o700)
    shutil.rmtree(path)
