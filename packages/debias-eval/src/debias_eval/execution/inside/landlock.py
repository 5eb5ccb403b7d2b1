"""Landlock: which files can be opened, and no signals, sockets or tracing across its border.

Source: Documentation/userspace-api/landlock.rst of the Linux kernel, ABI 1 to 7.
"""

from __future__ import annotations

import ctypes
import os
import stat

from debias_eval.execution.inside import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NUM_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_MAX_FS_RIGHTS = 16
_NET_ABI, _SCOPE_ABI = 4, 6


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """Return the kernel's Landlock version, 0 where there is none."""
    try:
        return kernel.syscall(_CREATE, ctypes.c_void_p(None), ctypes.c_size_t(0), 1)
    except OSError:
        return 0


def make_ruleset(
    *,
    readable: tuple[str, ...],
    writable: tuple[str, ...],
    executable: tuple[str, ...] = (),
    tcp: bool = False,
) -> int:
    """Return a ruleset descriptor: what is not named cannot be opened, nor executed.

    Args:
        readable: files and folders that may be read, with all below them.
        writable: files and folders in which everything but executing is allowed.
        executable: files and folders that may be read and executed.
        tcp: leave TCP alone; for where a network namespace bounds it.
    """
    version = abi()
    every = (1 << _NUM_FS_RIGHTS.get(version, _MAX_FS_RIGHTS)) - 1
    attr = _RulesetAttr(
        fs=every,
        net=3 if version >= _NET_ABI and not tcp else 0,
        scoped=3 if version >= _SCOPE_ABI else 0,
    )
    size = 24 if version >= _SCOPE_ABI else 16 if version >= _NET_ABI else 8
    ruleset = kernel.syscall(_CREATE, ctypes.byref(attr), ctypes.c_size_t(size), 0)
    for path in readable:
        _allow(ruleset, path, every & (_READ_FILE | _READ_DIR))
    for path in executable:
        _allow(ruleset, path, every & (_READ_FILE | _READ_DIR | _EXECUTE))
    for path in writable:
        _allow(ruleset, path, every & ~_EXECUTE)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        attr = _PathAttr(allowed=rights, parent_fd=fd)
        kernel.syscall(_ADD, ruleset, 1, ctypes.byref(attr), 0)
    finally:
        os.close(fd)


def restrict(ruleset: int) -> None:
    """Put this process and all that it starts under the ruleset (`no_new_privileges` first)."""
    kernel.syscall(_RESTRICT, ruleset, 0)
