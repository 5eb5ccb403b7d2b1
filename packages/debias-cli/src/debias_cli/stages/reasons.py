"""What differs between something that would run and its last finished version, in words."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from debias_cli.config.problems import shorten
from debias_cli.rundir.folder import Record
from debias_cli.stages.graph import Stage
from debias_cli.stages.keys import Benchmark

_MAX_REASONS = 6


def differences(stage: Stage | Benchmark, record: Record) -> tuple[str, ...]:
    """What differs between the two, the likeliest cause first."""
    found = _compare(record.config, dict(stage.config), "")
    for name in sorted(set(stage.inputs) | set(record.inputs)):
        old, new = record.inputs.get(name), stage.inputs.get(name)
        if old is None:
            found.append(f"new input {name}")
        elif new is None:
            found.append(f"input {name} is no longer used")
        elif old != new:
            found.append(f"input {name} changed")
    for name in sorted(set(stage.code) | set(record.code)):
        old, new = record.code.get(name), stage.code.get(name)
        if old != new:
            found.append(f"code of {name} changed ({old} → {new})")
    changed = [need for need in stage.needs if need not in record.needs]
    if changed:
        found.append(f"it now needs {', '.join(changed)}")
    if not found:
        found.append(f"an earlier stage changed ({', '.join(stage.needs)})")
    rest = len(found) - _MAX_REASONS
    return (*found[:_MAX_REASONS], *([f"and {rest} more"] if rest > 0 else []))


def _compare(old: JsonValue, new: object, path: str) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: list[str] = []
        for name in [*old, *(name for name in new if name not in old)]:
            below = f"{path}.{name}" if path else str(name)
            found += _compare(old.get(name), new.get(name), below)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [item for i, (a, b) in pairs for item in _compare(a, b, f"{path}.{i}")]
    if old == new:
        return []
    return [f"{path} changed: {shorten(old, 40)} → {shorten(new, 40)}"]
