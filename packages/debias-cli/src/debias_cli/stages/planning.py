"""What would run, and why: every stage against what lies in this and in other run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from debias_cli.config.problems import did_you_mean
from debias_cli.errors import DamagedError, UsageError
from debias_cli.rundir.folder import RunFolder, StageRecord, damage, sibling_stages
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import Stage
from debias_cli.stages.reasons import differences
from debias_cli.stages.reuse import BenchmarkDecision, decide_benchmarks

Action = Literal["run", "reuse", "copy", "skip"]
_KINDS = {"train": "train", "eval": "evaluate", "evaluate": "evaluate"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stages the command line asks for.

    Attributes:
        start: `--from`: this stage and everything that depends on it runs again.
        only: `--only`: nothing but this stage.
        force: `--force`: what is selected runs again although it is finished.
        training_only: nothing but what the main objective's trainings need; of a sweep's points
            the others are left for the best one.
    """

    start: str | None = None
    only: str | None = None
    force: bool = False
    training_only: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a stage, and why.

    Attributes:
        source: for `copy`, the finished stage that it is taken from.
        benchmarks: of an evaluation that runs: which of them run, and which are taken over.
    """

    stage: Stage
    action: Action
    reasons: tuple[str, ...]
    source: Path | None = None
    benchmarks: tuple[BenchmarkDecision, ...] = ()


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
        if selection.training_only and not _trains(stage):
            decisions.append(Decision(stage, "skip", ("for the best point alone",)))
            continue
        decision = _decide(stage, folder, hashes)
        if stage.name in start or again.intersection(stage.needs):
            again.add(stage.name)
            decision = _again(stage, f"--from {selection.start}")
        selected = selection.only is None or stage.name in only
        if selected and selection.force and selection.start is None:
            decision = _again(stage, "--force")
        if not selected and decision.action == "run":
            decision = _leave(decision, folder, hashes)
        decisions.append(decision)
    _check_needs(decisions)
    return decisions


def _trains(stage: Stage) -> bool:
    """Whether a point of a sweep is judged by it."""
    return stage.kind == "data" or (
        stage.kind == "train" and stage.training is not None and stage.training.main
    )


def _again(stage: Stage, why: str) -> Decision:
    """Everything of a stage runs, whatever is finished."""
    every = tuple(BenchmarkDecision(item, (why,)) for item in stage.benchmarks)
    return Decision(stage, "run", (why,), benchmarks=every)


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
        return _run(stage, folder, hashes, (str(error),))
    if record is not None and record.key == stage.key:
        broken = damage(folder.stage(stage.name), record, hashes)
        if broken is None:
            return Decision(stage, "reuse", ("nothing changed",))
        return _run(stage, folder, hashes, (broken,))
    latest: StageRecord | None = record
    for path, other in sibling_stages(folder, stage.name):
        latest = latest or other
        if other.key == stage.key and damage(path, other, hashes) is None:
            reason = f"the same stage is finished in {path.parent.name}"
            return Decision(stage, "copy", (reason,), source=path)
    return _run(stage, folder, hashes, _reasons(stage, folder, latest))


def _reasons(stage: Stage, folder: RunFolder, latest: StageRecord | None) -> tuple[str, ...]:
    """Why a stage is not finished; none for an evaluation, whose benchmarks have their own."""
    if folder.begun(stage.name, stage.key):
        return ("begun and not finished",)
    if stage.benchmarks:
        return ()
    return ("never ran",) if latest is None else differences(stage, latest)


def _run(stage: Stage, folder: RunFolder, hashes: HashCache, reasons: tuple[str, ...]) -> Decision:
    """The stage runs; of an evaluation, the benchmarks that are not finished anywhere."""
    benchmarks = decide_benchmarks(stage, folder, hashes)
    return Decision(stage, "run", reasons or _summary(benchmarks), benchmarks=benchmarks)


def _summary(benchmarks: Sequence[BenchmarkDecision]) -> tuple[str, ...]:
    """Why an evaluation runs, in one line; each benchmark has reasons of its own."""
    todo = [item for item in benchmarks if item.source is None]
    if not todo:
        return ("the list of benchmarks changed",)
    if all(item.reasons == todo[0].reasons for item in todo) and len(todo) == len(benchmarks):
        return todo[0].reasons
    return tuple(f"{item.benchmark.name}: {'; '.join(item.reasons)}" for item in todo)
