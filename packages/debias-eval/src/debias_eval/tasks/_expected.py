"""What reference solutions return, found by running them, and kept by content.

A reference is run where answers are: in the sandbox, as a program that nobody has to trust. What
it returned is kept under the hash of everything that it depends on, so it runs once a machine.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import platform
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.execution.inside.values import Decoder, Encoder, MalformedError
from debias_eval.files import canonical_json, write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debias_eval.execution import Executor, Outcome, Program

__all__ = ["Reference", "References", "cache_folder", "decode", "encode", "run_references"]

ENVIRONMENT = "DEBIAS_CACHE_DIR"
_FORMAT = 2
_CPU_SECONDS = 120.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference solution returned.

    Attributes:
        outputs: One value an input.
        cpu_seconds: What it took.
        skipped: Numbers of the inputs that cannot be used, because what the reference returns for
            them is larger than a process may be; their outputs are None.
    """

    outputs: tuple[Any, ...]
    cpu_seconds: float
    skipped: tuple[int, ...] = ()


class References(NamedTuple):
    """References by key, and those that did not get through, each with the reason."""

    found: dict[str, Reference]
    broken: dict[str, str]


def cache_folder() -> Path:
    """Return where outputs are kept: ``$DEBIAS_CACHE_DIR``, else the user's cache folder."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).expanduser() / "expected"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "debias-eval" / "expected"


def encode(value: Any) -> Any:
    """Return a plain value, infinities, tuples and sets included, as JSON can hold it.

    Raises:
        TypeError: It is no plain value.
    """
    return Encoder(_no_object).encode(value)


def decode(tree: Any) -> Any:
    """Return the value that ``encode`` was given."""
    return Decoder().decode(tree)


def run_references(executor: Executor, programs: Mapping[str, Program]) -> References:
    """Return what each program of style ``record`` returns; only what is not kept is run."""
    folder = cache_folder()
    files = {key: folder / f"{_content_key(program)}.json.gz" for key, program in programs.items()}
    found = {key: kept for key, file in files.items() if (kept := _read(file)) is not None}
    broken: dict[str, str] = {}
    limits = execution.Limits(cpu=_CPU_SECONDS)
    todo = (replace(p, id=key, limits=limits) for key, p in programs.items() if key not in found)
    fresh: dict[str, Reference] = {}
    for outcome in executor.run(todo):
        if outcome.status is execution.Status.PASSED:
            fresh[outcome.id] = Reference(outcome.outputs, outcome.cpu_seconds)
        else:
            broken[outcome.id] = f"the reference solution {outcome.status}: {outcome.detail}"
    for key in list(broken):
        one_by_one = _input_by_input(executor, replace(programs[key], limits=limits))
        if one_by_one is not None:
            fresh[key] = one_by_one
            del broken[key]
            number = len(one_by_one.skipped)
            _log.warning("%s: %d inputs are not used: their outputs are too large", key, number)
    for key, reference in fresh.items():
        _keep(files[key], reference)
    return References(found | fresh, broken)


def _input_by_input(executor: Executor, program: Program) -> Reference | None:
    """Return what a reference returns for the inputs that it can answer, or None.

    None where it fails for another reason than size, or everywhere.
    """
    singles = (replace(program, id=str(n), inputs=(args,)) for n, args in enumerate(program.inputs))
    outcomes = {int(outcome.id): outcome for outcome in executor.run(singles)}
    bad = {n: o for n, o in outcomes.items() if o.status is not execution.Status.PASSED}
    if len(bad) == len(outcomes) or not all(_is_size(outcome) for outcome in bad.values()):
        return None
    return Reference(
        tuple(None if n in bad else outcomes[n].outputs[0] for n in range(len(outcomes))),
        sum(outcome.cpu_seconds for n, outcome in outcomes.items() if n not in bad),
        tuple(sorted(bad)),
    )


def _is_size(outcome: Outcome) -> bool:
    too_large = "the returned value is " in outcome.detail
    return outcome.status is execution.Status.MEMORY or too_large


def _no_object(value: Any) -> dict[str, Any]:
    raise TypeError(f"a benchmark's value must be plain, not {type(value).__name__}")


def _content_key(program: Program) -> str:
    version = ".".join(platform.python_version_tuple()[:2])  # outputs may depend on it
    inputs = [encode(args) for args in program.inputs]
    content = [_FORMAT, version, program.solution, program.entry_point, program.compare, inputs]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _read(file: Path) -> Reference | None:
    """Return what a file holds, or None where there is none or it is damaged."""
    if not file.is_file():
        return None
    try:
        kept = json.loads(gzip.decompress(file.read_bytes()))
        outputs = tuple(decode(tree) for tree in kept["outputs"])
        return Reference(outputs, float(kept["cpu_seconds"]), tuple(map(int, kept["skipped"])))
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, MalformedError):
        _log.warning("%s is damaged; the reference solution runs again", file)
        return None


def _keep(file: Path, reference: Reference) -> None:
    content = {
        "outputs": [encode(value) for value in reference.outputs],
        "cpu_seconds": reference.cpu_seconds,
        "skipped": reference.skipped,
    }
    try:
        write_bytes(file, gzip.compress(json.dumps(content).encode("ascii"), 1, mtime=0))
    except OSError as error:  # a cache that cannot be written costs time, not truth
        _log.warning("%s: reference outputs are not kept: %s", file, error)
