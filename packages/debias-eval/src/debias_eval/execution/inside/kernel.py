"""The Linux calls that Python does not wrap: namespaces, mounts, capabilities, `prctl`.

Every function raises `OSError` with the kernel's error number; none of them decides anything.
"""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_THREAD = 0x00010000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_RELATIME = 1 << 21
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22

_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def machine() -> str:
    """Return the architecture, as the tables of system call numbers name it."""
    return platform.machine()


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *args: object) -> int:
    """Make a system call by its number; integers and ctypes objects are the arguments."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), f"system call {number}")


def prctl(option: int, *args: object) -> int:
    """Call `prctl`, missing arguments zero."""
    wide = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in args]
    wide += [ctypes.c_ulong(0)] * (4 - len(wide))
    return _check(_libc.prctl(ctypes.c_int(option), *wide), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for fresh ones."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare {flags:#x}")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind `fd`."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, *, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Mount, bind or remount."""
    result = _libc.mount(
        source.encode(), target.encode(), fstype.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _check(result, f"mount {fstype or 'bind'} on {target}")


def umount_detached(target: str) -> None:
    """Unmount now, release when no longer used."""
    _check(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root_here() -> None:
    """Make the current folder, a mount point, the root, and drop the old root."""
    number = {"x86_64": 155, "aarch64": 41}[machine()]
    syscall(number, ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    umount_detached(".")
    os.chdir("/")


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one that this kernel knows, or no right to drop
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, data), "capset")


def set_dumpable(*, on: bool) -> None:
    """Allow or forbid other processes of this user to open this one's memory."""
    prctl(PR_SET_DUMPABLE, int(on))


def no_new_privileges() -> None:
    """Rule out gaining rights by running programs; seccomp and Landlock need it."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor except those of `keep`."""
    low = 0
    for fd in sorted(keep):
        if low < fd:  # an empty range would close everything (python/cpython: close_range wraps)
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 1 << 16)
