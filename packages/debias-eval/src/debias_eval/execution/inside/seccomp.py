"""Seccomp filters, assembled by hand: a list of refused system calls, the rest allowed.

A refused call fails with EPERM (ENOSYS where a fallback of the C library exists), so that an
honest program sees an ordinary error. Source: seccomp_filter.rst, linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from debias_eval.execution.inside import kernel

_LOAD, _JEQ, _JSET, _RET, _JGE = 0x20, 0x15, 0x45, 0x06, 0x35
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARG0, _OFFSET_ARG1 = 0, 4, 16, 24
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_MODE_FILTER = 2
_NEW_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWCGROUP
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
)

# name: (x86_64, aarch64); None where the architecture has no such call
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "clone": (56, 220),
    "clone3": (435, 435), "delete_module": (176, 106), "execve": (59, 221),
    "chmod": (90, None), "chown": (92, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "fchown": (93, 55), "fchownat": (260, 54), "fcntl": (72, 25),
    "fremovexattr": (199, 16), "fsetxattr": (190, 7), "futimesat": (261, None),
    "ioctl": (16, 29), "ioprio_set": (251, 30), "lchown": (94, None),
    "lremovexattr": (198, 15), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "removexattrat": (466, 466), "setxattr": (188, 5), "setxattrat": (463, 463),
    "truncate": (76, 45), "utime": (132, None), "utimensat": (280, 88), "utimes": (235, None),
    "execveat": (322, 281), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "fork": (57, None), "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430),
    "fspick": (433, 433), "init_module": (175, 105), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "ioperm": (173, None),
    "iopl": (172, None), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "kill": (62, 129), "lookup_dcookie": (212, 18),
    "mbind": (237, 235), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "migrate_pages": (256, 238), "mount": (165, 40), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "move_pages": (279, 239), "mq_open": (240, 180),
    "msgget": (68, 186), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "pivot_root": (155, 41), "prlimit64": (302, 261),
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "reboot": (169, 142), "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "semget": (64, 190), "set_mempolicy": (238, 237),
    "setdomainname": (171, 162), "sethostname": (170, 161), "setns": (308, 268),
    "setpriority": (141, 140), "settimeofday": (164, 170), "shmget": (29, 194),
    "socket": (41, 198), "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116),
    "tgkill": (234, 131), "tkill": (200, 130), "umount2": (166, 39), "unshare": (272, 97),
    "userfaultfd": (323, 282), "vfork": (58, None), "vhangup": (153, 58),
}  # fmt: skip

_ALWAYS_REFUSED = (
    "acct", "add_key", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module",
    "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "memfd_create",
    "memfd_secret", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages",
    "mq_open", "msgget", "name_to_handle_at", "open_by_handle_at", "open_tree",
    "perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise", "process_mrelease",
    "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key",
    "semget", "set_mempolicy", "setdomainname", "sethostname", "setns", "settimeofday",
    "shmget", "swapoff", "swapon", "syslog", "umount2", "unshare", "userfaultfd", "vhangup",
)  # fmt: skip
_REFUSED_WITHOUT_NAMESPACES = (
    "execve", "execveat", "fork", "ioprio_set", "pidfd_send_signal", "rt_sigqueueinfo",
    "rt_tgsigqueueinfo", "sched_setattr", "setpriority", "socket", "tkill", "vfork",
)  # fmt: skip
# Landlock governs opening, not the metadata of files, which their owner could change without.
_CHANGES_METADATA = (
    "chmod", "chown", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fremovexattr",
    "fsetxattr", "futimesat", "lchown", "lremovexattr", "lsetxattr", "removexattr",
    "removexattrat", "setxattr", "setxattrat", "truncate", "utime", "utimensat", "utimes",
)  # fmt: skip
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
# Those that make the kernel send signals to others: F_SETOWN, F_SETSIG, F_SETOWN_EX; and by ioctl
# FIOSETOWN, SIOCSPGRP.
_FCNTL_OWNERS = (8, 10, 15)
_IOCTL_OWNERS = (0x8901, 0x8902)
# the first argument must be 0 or the caller's own process number
_OWN_PROCESS_ONLY = ("prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler")
_OWN_SIGNALS_ONLY = ("kill", "tgkill")


def supported() -> bool:
    """Return whether the system call numbers of this architecture are known here."""
    return kernel.machine() in _AUDIT_ARCH


def _number(name: str) -> int | None:
    return _NUMBERS[name][0 if kernel.machine() == "x86_64" else 1]


def _op(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jt, jf, k & 0xFFFFFFFF)


def _refuse(name: str, error: int) -> bytes:
    number = _number(name)
    if number is None:
        return b""
    return _op(_JEQ, number, 0, 1) + _op(_RET, _ERRNO | error)


def _refuse_clone(mask: int, *, wanted: bool) -> bytes:
    """Refuse `clone` when any bit of `mask` is set (`wanted` false) or is missing (true)."""
    number = _number("clone")
    assert number is not None
    test = _op(_JSET, mask, 1, 0) if wanted else _op(_JSET, mask, 0, 1)
    return (
        _op(_JEQ, number, 0, 4)
        + _op(_LOAD, _OFFSET_ARG0)
        + test
        + _op(_RET, _ERRNO | errno.EPERM)
        + _op(_LOAD, _OFFSET_NR)
    )


def _only_own_process(name: str, pid: int, *, zero: bool) -> bytes:
    number = _number(name)
    assert number is not None
    body = _op(_LOAD, _OFFSET_ARG0)
    if zero:
        body += _op(_JEQ, 0, 2, 0)
    body += _op(_JEQ, pid, 1, 0) + _op(_RET, _ERRNO | errno.EPERM) + _op(_LOAD, _OFFSET_NR)
    return _op(_JEQ, number, 0, len(body) // 8) + body


def _only_values(name: str, offset: int, values: tuple[int, ...], *, allow: bool) -> bytes:
    """Refuse `name` unless the argument at `offset` is one of `values`, or if it is one."""
    number = _number(name)
    assert number is not None
    body = _op(_LOAD, offset)
    for left in range(len(values), 0, -1):
        body += _op(_JEQ, values[-left], left, 0)  # over the other comparisons and one more
    if not allow:
        body += _op(_JGE, 0, 1, 0)  # none of them: always true, steps over the refusal
    body += _op(_RET, _ERRNO | errno.EPERM) + _op(_LOAD, _OFFSET_NR)
    return _op(_JEQ, number, 0, len(body) // 8) + body


def make_filter(*, namespaces: bool, pid: int) -> bytes:
    """Return the filter program for a process.

    Args:
        namespaces: the process has its own process and network namespaces, so it may fork, and
            signals and sockets reach nobody; without them all of that is refused.
        pid: its process number.
    """
    program = _op(_LOAD, _OFFSET_ARCH) + _op(_JEQ, _AUDIT_ARCH[kernel.machine()], 1, 0)
    program += _op(_RET, _KILL) + _op(_LOAD, _OFFSET_NR)
    if kernel.machine() == "x86_64":
        program += _op(_JGE, _X32_BIT, 0, 1) + _op(_RET, _KILL)
    for name in _ALWAYS_REFUSED:
        program += _refuse(name, errno.EPERM)
    # Its flags lie in memory, where a filter cannot look; the C library falls back to `clone`.
    program += _refuse("clone3", errno.ENOSYS)
    program += _refuse_clone(_NEW_NAMESPACES, wanted=False)
    # Others, such as AF_VSOCK, are not bounded by the network namespace.
    program += _only_values("socket", _OFFSET_ARG0, (_AF_UNIX, _AF_INET, _AF_INET6), allow=True)
    if not namespaces:
        program += _only_values("fcntl", _OFFSET_ARG1, _FCNTL_OWNERS, allow=False)
        program += _only_values("ioctl", _OFFSET_ARG1, _IOCTL_OWNERS, allow=False)
        for name in (*_REFUSED_WITHOUT_NAMESPACES, *_CHANGES_METADATA):
            program += _refuse(name, errno.EPERM)
        program += _refuse_clone(kernel.CLONE_THREAD, wanted=True)
        for name in _OWN_PROCESS_ONLY:
            program += _only_own_process(name, pid, zero=True)
        for name in _OWN_SIGNALS_ONLY:
            program += _only_own_process(name, pid, zero=False)
    return program + _op(_RET, _ALLOW)


def make_signal_filter(spared: tuple[int, ...]) -> bytes:
    """Return a filter that refuses one thing: `kill` of everybody, or of the processes `spared`."""
    program = _op(_LOAD, _OFFSET_ARCH) + _op(_JEQ, _AUDIT_ARCH[kernel.machine()], 1, 0)
    program += _op(_RET, _ALLOW) + _op(_LOAD, _OFFSET_NR)
    program += _only_values("kill", _OFFSET_ARG0, (-1, *spared), allow=False)
    return program + _op(_RET, _ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put this process under the filter for good (`no_new_privileges` first)."""
    holder = _Program(len(program) // 8, program)
    kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(holder))
