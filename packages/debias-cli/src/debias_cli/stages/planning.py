"""What would run, and why: every stage against what lies in this and in other run folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from debias_cli.config.problems import did_you_mean, shorten
from debias_cli.errors import DamagedError, UsageError
from debias_cli.rundir.folder import RunFolder, StageRecord, damage, sibling_stages
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import Stage

Action = Literal["run", "reuse", "copy", "skip"]
_MAX_REASONS = 6
_KINDS = {"train": "train", "eval": "evaluate", "evaluate": "evaluate"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stages the command line asks for.

    Attributes:
        start: `--from`: this stage and everything that depends on it runs again.
        only: `--only`: nothing but this stage.
        force: `--force`: what is selected runs again although it is finished.
    """

    start: str | None = None
    only: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a stage, why, and for `copy` the finished stage that it is taken from."""

    stage: Stage
    action: Action
    reasons: tuple[str, ...]
    source: Path | None = None


def make_plan(
    stages: Sequence[Stage], folder: RunFolder, selection: Selection, hashes: HashCache
) -> list[Decision]:
    """One decision a stage, in order.

    Raises:
        UsageError: a selected stage does not exist, or `only` needs one that is not finished.
    """
    start, only = _select(stages, selection.start), _select(stages, selection.only)
    again: set[str] = set()
    decisions: list[Decision] = []
    for stage in stages:
        decision = _decide(stage, folder, hashes)
        if stage.name in start or again.intersection(stage.needs):
            again.add(stage.name)
            decision = Decision(stage, "run", (f"--from {selection.start}",))
        selected = selection.only is None or stage.name in only
        if selected and selection.force and selection.start is None:
            decision = Decision(stage, "run", ("--force",))
        if not selected and decision.action == "run":
            decision = _leave(decision, folder, hashes)
        decisions.append(decision)
    _check_needs(decisions)
    return decisions


def _select(stages: Sequence[Stage], name: str | None) -> set[str]:
    """The stages that a name means: one stage, or all of a kind (`train`, `eval`)."""
    if name is None:
        return set()
    found = {stage.name for stage in stages if stage.name == name}
    found = found or {stage.name for stage in stages if stage.kind == _KINDS.get(name)}
    if not found:
        names = [stage.name for stage in stages]
        hint = did_you_mean(name, names)
        raise UsageError(f"there is no stage {name!r}{hint} (stages: {', '.join(names)})")
    return found


def _check_needs(decisions: Sequence[Decision]) -> None:
    skipped = {item.stage.name for item in decisions if item.action == "skip"}
    for item in decisions:
        lacking = sorted(skipped.intersection(item.stage.needs))
        if item.action == "run" and lacking:
            names = ", ".join(lacking)
            message = (
                f"--only {item.stage.name} needs {names} finished; run it without --only first"
            )
            raise UsageError(message)


def _leave(decision: Decision, folder: RunFolder, hashes: HashCache) -> Decision:
    """What `--only` makes of another stage that would run: used as it lies there, or left out."""
    stage = decision.stage
    try:
        record = folder.record(stage.name)
    except DamagedError:
        record = None
    if record is None or damage(folder.stage(stage.name), record, hashes) is not None:
        return Decision(stage, "skip", ("--only",))
    return Decision(stage, "reuse", (f"as it is, although {decision.reasons[0]}",))


def _decide(stage: Stage, folder: RunFolder, hashes: HashCache) -> Decision:
    try:
        record = folder.record(stage.name)
    except DamagedError as error:
        return Decision(stage, "run", (str(error),))
    if record is not None and record.key == stage.key:
        broken = damage(folder.stage(stage.name), record, hashes)
        if broken is None:
            return Decision(stage, "reuse", ("nothing changed",))
        return Decision(stage, "run", (broken,))
    latest: StageRecord | None = record
    for path, other in sibling_stages(folder, stage.name):
        latest = latest or other
        if other.key == stage.key and damage(path, other, hashes) is None:
            reason = f"the same stage is finished in {path.parent.name}"
            return Decision(stage, "copy", (reason,), source=path)
    return Decision(stage, "run", _reasons(stage, folder, latest))


def _reasons(stage: Stage, folder: RunFolder, latest: StageRecord | None) -> tuple[str, ...]:
    if folder.begun(stage.name, stage.key):
        return ("begun and not finished",)
    return ("never ran",) if latest is None else tuple(_differences(stage, latest))


def _differences(stage: Stage, record: StageRecord) -> list[str]:
    """What differs between a stage and its last finished version, the likeliest cause first."""
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
    return found[:_MAX_REASONS] + ([f"and {rest} more"] if rest > 0 else [])


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
