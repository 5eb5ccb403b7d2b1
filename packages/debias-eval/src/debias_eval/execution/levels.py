"""Which levels of isolation this machine offers, found out by trying each."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import NamedTuple

from debias_eval.execution.errors import SandboxUnavailableError
from debias_eval.execution.program import Limits, Program, Status
from debias_eval.execution.slot import Slot
from debias_eval.execution.starting import container_words
from debias_eval.execution.zygotes import Level

LEVELS: tuple[Level, ...] = ("hardened", "landlock", "process")
"""Those that need nothing but this machine, strongest first."""


class Probe(NamedTuple):
    """Whether a level works here, and what failed if not."""

    level: Level
    available: bool
    reason: str


_CONTENT = "a file of the host"
# Run inside the sandbox: read and then spoil a file of the host.
_PROBE = """
def attempt(path):
    try:
        with open(path) as file:
            read = file.read()
    except OSError:
        read = ""
    try:
        with open(path, "a") as file:
            file.write("spoilt")
    except OSError:
        pass
    return read
"""


@functools.cache
def probe(level: Level, python: str = "") -> Probe:
    """Return whether `level` works on this machine: by starting it and trying to get out.

    Args:
        level: what is tried.
        python: the interpreter; at level `container` the command that starts one there.
    """
    slot = Slot(level, python)
    with tempfile.NamedTemporaryFile("w+", prefix="debias-probe-", encoding="utf-8") as canary:
        Path(canary.name).chmod(0o666)
        canary.write(_CONTENT)
        canary.flush()
        program = Program(
            id="probe",
            solution=_PROBE,
            test="",
            entry_point="attempt",
            style="record",
            inputs=([canary.name],),
            limits=Limits(cpu=5.0),
        )
        try:
            outcome = slot.run(program)
        finally:
            slot.close()
        after = Path(canary.name).read_text(encoding="utf-8")
    if outcome.status is not Status.PASSED:
        return Probe(level, available=False, reason=f"{outcome.status}: {outcome.detail}")
    if level != "process" and (outcome.outputs != ("",) or after != _CONTENT):
        return Probe(level, available=False, reason="a file of the host could be opened")
    return Probe(level, available=True, reason="")


def available_levels() -> tuple[Level, ...]:
    """Return the levels that work here, strongest first; always found by trying."""
    return tuple(level for level in LEVELS if probe(level).available)


def choose_level(wanted: str, *, allow_unsandboxed: bool, python: str = "") -> Level:
    """Return the level to use; never a weaker one than was asked for.

    Args:
        wanted: a level, or `auto` for the strongest that works here.
        allow_unsandboxed: whether `process` may be used at all.
        python: at level `container` the command that starts a Python there.

    Raises:
        SandboxUnavailableError: nothing that may be used works here.
    """
    if wanted != "auto":
        known: tuple[Level, ...] = (*LEVELS, "container")
        level = next((name for name in known if name == wanted), None)
        if level is None:
            raise SandboxUnavailableError(f"no level {wanted!r}: one of auto, {', '.join(known)}")
        candidates: tuple[Level, ...] = (level,)
    else:
        candidates = LEVELS
    reasons = []
    for level in candidates:
        if level == "container":
            container_words(python, "")
        if level == "process" and not allow_unsandboxed:
            reasons.append("process: gives no isolation and was not allowed (--allow-unsandboxed)")
            continue
        found = probe(level, python if level == "container" else "")
        if found.available:
            return level
        reasons.append(f"{level}: {found.reason}")
    raise SandboxUnavailableError("untrusted code cannot be run here. " + "; ".join(reasons))
