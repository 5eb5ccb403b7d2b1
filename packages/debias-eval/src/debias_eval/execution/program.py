"""What is run, within which limits, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Style = Literal["check", "asserts", "io", "record", "stdin", "unittest"]
Compare = Literal[
    "equal", "exact", "set", "not_none", "any", "or_zero", "root", "pyramid", "digits"
]

MAX_SOURCE_BYTES = 4 << 20


class Status(StrEnum):
    """How a program ended; only `PASSED` scores, and `INFRA_ERROR` must not be scored at all."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT_CPU = "timeout_cpu"
    TIMEOUT_WALL = "timeout_wall"
    MEMORY = "memory"
    CRASHED = "crashed"
    ERROR = "error"
    INFRA_ERROR = "infra_error"
    FLAKY = "flaky"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process of one program.

    Attributes:
        cpu: CPU seconds; what decides.
        wall: seconds of the clock, or None for `3 * cpu + 5`.
        memory: bytes of address space; in a process namespace also of all processes together.
        file_size: bytes of one file.
        scratch: bytes of the scratch folder.
        files: open files.
        tasks: processes and threads.
        output: bytes kept of what is printed, from the head and again from the tail.
    """

    cpu: float = 10.0
    wall: float | None = None
    memory: int = 1 << 30
    file_size: int = 16 << 20
    scratch: int = 64 << 20
    files: int = 64
    tasks: int = 64
    output: int = 64 << 10

    @property
    def wall_seconds(self) -> float:
        """Seconds of the clock, the default filled in."""
        return 3 * self.cpu + 5 if self.wall is None else self.wall


@dataclass(frozen=True, slots=True)
class Program:
    """One solution and the tests that decide about it.

    Attributes:
        id: comes back in the outcome.
        solution: source of a whole module, never trusted.
        test: source of the tests, trusted to be honest. Style `check` defines `check(candidate)`
            (HumanEval); `asserts` is assert lines that call the solution by name (MBPP);
            `unittest` holds `TestCase` classes and can only run unsplit. Unused by `io`, `record`.
        entry_point: the function under test; for `asserts` it may be None and is then found by
            parsing. For `io`, `Class.method` is possible if the method needs no instance. Unused
            by `stdin`.
        style: how the tests are run. `io` compares what calls return, `record` returns it; with
            `stdin` every input is a process of its own that reads and prints.
        setup: trusted code that runs after the solution and before the assert lines.
        limits: None for the defaults.
        helpers: trusted definitions that the tests may use, such as those of a prompt; they
            stand in place of what the solution defines under the same names.
        inputs: for `io` and `record`, one list of arguments a call; for `stdin`, one list with one
            text a process.
        expected: for `io` and `stdin`, one value an input.
        atol: for `io`, absolute tolerance of floats.
        compare: for `io`, see `inside.compare.same_output`.
        fresh: for `io`, whether every input is answered by a process of its own, with limits of
            its own.
        libraries: folders of further importable modules; none for the standard library alone.
        system: whether the programs of the system (`/usr/bin`) are there to be started; where a
            level shows no more than it must, they are read-only.
    """

    id: str
    solution: str
    test: str
    entry_point: str | None
    style: Style = "check"
    setup: str = ""
    limits: Limits | None = None
    helpers: str = ""
    inputs: tuple[list[Any], ...] = ()
    expected: tuple[Any, ...] = ()
    atol: float = 0.0
    compare: Compare = "equal"
    fresh: bool = False
    libraries: tuple[str, ...] = ()
    system: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended.

    Attributes:
        id: the program's.
        status: one of `Status`.
        detail: one printable text for people: the failing line, the exception, the signal.
        cpu_seconds: of the solution's process and its children.
        wall_seconds: from fork to death.
        level: the isolation that it ran under.
        split: whether the tests ran in a process of their own.
        output: what the solution printed, head and tail.
        outputs: for style `record`, one value an input.
    """

    id: str
    status: Status
    detail: str
    cpu_seconds: float
    wall_seconds: float
    level: str
    split: bool
    output: str
    outputs: tuple[Any, ...] = field(default=())
