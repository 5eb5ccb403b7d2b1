"""Running programs that nobody trusts, and judging them honestly.

Isolation and honest grading are two problems. A solution in a perfect sandbox still "passes" if
the tests run beside it: it can return an object that equals everything, patch `assert`, read the
expected value out of its caller's frame, or print the harness's own success marker. So the tests
run somewhere else::

    judge (this process)      starts two zygotes, reads one report, decides
      ├── zygote ── tests     the benchmark's code, with a stub in place of the solution
      └── zygote ── worker    the solution and nothing else

Tests and worker exchange length-prefixed JSON of plain values (`inside.values`): no pickle, no
objects, no verdict from the worker. What the worker sends can only be a value that an honest
solution might have returned, and it never learns what was expected. Each zygote is a bare
interpreter that was started before any test was loaded; this process is never forked.

Consequences that a user of this package meets:

- A returned object that is no plain value reaches the tests as a handle that equals nothing but
  itself. Attributes of such objects can be read and set, functions called, iterators advanced;
  operators and methods are never forwarded, because the solution would then answer for the test.
- Arguments that the solution changes in place change for the tests too; functions that the tests
  pass are called back.
- A program that reads standard input and prints (style `stdin`) is a process of its own for every
  test, with pipes that this process holds; what it printed is compared here.
- A test that needs more than that (`unittest` classes, objects of its own) is run *unsplit*, in
  the same sandbox, with a nonce, an expected number of tests and canary tests that must fail.
  `Outcome.split` is then False: such a verdict can be forged by a determined program. Where
  `Program.system` asks for it, `/usr/bin` can be read and executed, and `localhost` answers, all
  inside the sandbox's own namespaces.

Levels, found by trying and recorded with every outcome; `auto` takes the strongest:

========== =====================================================================================
hardened   User, process, network, mount and IPC namespaces, Landlock and seccomp. Promised: no
           file of the host is read outside the interpreter's own or written anywhere; no network;
           no other process is seen; CPU, memory, files and tasks are bounded, together for all
           processes of a program where `/proc` can be mounted; nothing survives the program.
landlock   Linux 5.13+ without namespaces. The same by refusal: no fork, exec or socket, signals to
           itself only. Programs that start processes fail here. The scratch folder is on disk and
           its size is looked at five times a second.
process    Resource limits, a process group and an empty environment. Promised: honest verdicts and
           time limits. A program can read and change what this user can. Never chosen unless
           allowed explicitly.
container  A command of the user's starts a Python in a container of theirs, one for the tests and
           one for the solution. Promised: honest verdicts, time limits, and that a file of this
           host could be neither read nor written when it was tried; the rest is the container's.
========== =====================================================================================

Root changes to an unused user first, at every level. Not promised at any level: protection from
bugs of the kernel or the processor, and from side channels such as timing.

CPU time decides, not the clock: 10 s by default, the clock at three times that plus 5 s; programs
that only ran out of the clock are run once more alone, and two different verdicts are `flaky`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.execution.errors import SandboxUnavailableError
    from debias_eval.execution.executor import Executor
    from debias_eval.execution.levels import Probe, available_levels, probe
    from debias_eval.execution.program import Limits, Outcome, Program, Status
    from debias_eval.execution.starting import FOLDER, container_words

_HOME = {
    "Executor": "executor",
    "FOLDER": "starting",
    "Limits": "program",
    "Outcome": "program",
    "Probe": "levels",
    "Program": "program",
    "SandboxUnavailableError": "errors",
    "Status": "program",
    "available_levels": "levels",
    "container_words": "starting",
    "probe": "levels",
}

__all__ = [
    "FOLDER",
    "Executor",
    "Limits",
    "Outcome",
    "Probe",
    "Program",
    "SandboxUnavailableError",
    "Status",
    "available_levels",
    "container_words",
    "probe",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
