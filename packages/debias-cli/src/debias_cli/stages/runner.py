"""Runs what the plan says, stage by stage, and leaves every finished one under its final name."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from debias_cli.config.dump import dump
from debias_cli.config.load import LoadedConfig
from debias_cli.errors import (
    CriteriaError,
    InterruptedRunError,
    StageError,
    exit_code_of,
    is_known,
)
from debias_cli.rundir.files import read_json, write_json, write_text
from debias_cli.rundir.folder import (
    CONFIG_NAME,
    HASHES_NAME,
    PROVENANCE_NAME,
    RunFolder,
    new_record,
    remove_leftovers,
    stale_key,
)
from debias_cli.rundir.hashes import HashCache
from debias_cli.rundir.locking import locked
from debias_cli.rundir.logs import log_to
from debias_cli.rundir.provenance import provenance
from debias_cli.rundir.storage import named_storage, storage_error
from debias_cli.stages.context import Reporter, SilentReporter, StageContext, StopSignal
from debias_cli.stages.graph import Stage, StageKind, build_graph, run_folder
from debias_cli.stages.packages import check_packages
from debias_cli.stages.planning import Decision, Selection, make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

CRITERIA_FILE = "compare/criteria.json"
REPORT_FILE = "report/report.html"

_FUNCTIONS: dict[StageKind, tuple[str, str]] = {
    "data": ("data", "run_data"),
    "evaluate": ("evaluation", "run_evaluation"),
    "train": ("training", "run_training"),
    "compare": ("comparison", "run_comparison"),
    "report": ("reporting", "run_report"),
}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        folder: the run folder.
        ran: stages that ran.
        reused: stages that were finished already, here or in another run folder.
        evaluated: of every evaluation that ran, the benchmarks that were not finished already.
        met: whether the success criteria are met; None when nothing was compared.
        report: path of report.html; None when there is none.
        seconds: of this call.
    """

    folder: Path
    ran: tuple[str, ...]
    reused: tuple[str, ...]
    evaluated: Mapping[str, tuple[str, ...]]
    met: bool | None
    report: Path | None
    seconds: float


def run_pipeline(
    loaded: LoadedConfig,
    *,
    selection: Selection | None = None,
    reporter: Reporter | None = None,
) -> RunSummary:
    """Runs the stages that are not finished, and returns what was done.

    Raises:
        LockedError: another process works in the run folder; raised before anything else is done.
        MissingError: an input, or a package that a stage needs, is not there.
        StageError: a stage failed; what was finished before it stays.
        StorageError: the run folder cannot be written, before or after the stages.
        InterruptedRunError: SIGINT or SIGTERM; says how to resume.
        CriteriaError: with `run.strict`, when a success criterion is not met.
    """
    began = time.perf_counter()
    folder = run_folder(loaded)
    with named_storage(folder.path), locked(folder.path):
        remove_leftovers(folder.path)
        hashes = HashCache(loaded.config.run.output_dir / HASHES_NAME)
        decisions = make_plan(build_graph(loaded, hashes), folder, selection or Selection(), hashes)
        hashes.save()
        check_packages(loaded.config, decisions)
        write_text(folder.path / CONFIG_NAME, dump(loaded.saved))
        runner = _Runner(loaded, folder, reporter or SilentReporter())
        runner.run(decisions)
    summary = _summarise(folder, decisions, time.perf_counter() - began)
    if loaded.config.run.strict and summary.met is False:
        raise CriteriaError(f"success criteria not met; see {folder.path / CRITERIA_FILE}")
    return summary


def _summarise(folder: RunFolder, decisions: Sequence[Decision], seconds: float) -> RunSummary:
    criteria, report = folder.path / CRITERIA_FILE, folder.path / REPORT_FILE
    return RunSummary(
        folder=folder.path,
        ran=tuple(item.stage.name for item in decisions if item.action == "run"),
        reused=tuple(item.stage.name for item in decisions if item.action in ("reuse", "copy")),
        evaluated={
            item.stage.name: tuple(
                below.benchmark.name for below in item.benchmarks if below.source is None
            )
            for item in decisions
            if item.benchmarks
        },
        met=bool(read_json(criteria)["met"]) if criteria.is_file() else None,
        report=report if report.is_file() else None,
        seconds=seconds,
    )


class _Runner:
    """Carries one plan out."""

    def __init__(self, loaded: LoadedConfig, folder: RunFolder, reporter: Reporter) -> None:
        self.loaded, self.folder, self.reporter = loaded, folder, reporter
        self.stop = StopSignal()
        self._expected: dict[str, str] = {}

    def run(self, decisions: list[Decision]) -> None:
        """Runs, takes over or passes over every stage in order."""
        self._expected = {item.stage.name: item.stage.key for item in decisions}
        self.reporter.plan(self.folder.path, decisions)
        with self.stop.installed():
            for number, decision in enumerate(decisions, start=1):
                self.reporter.begin(decision, number, len(decisions))
                if decision.action == "copy":
                    assert decision.source is not None
                    self.folder.adopt(decision.stage.name, decision.source)
                elif decision.action == "run":
                    with self._named_errors(decision.stage):
                        self._run_stage(decision)
        # last, so that it knows the accelerators that torch found
        stages = [decision.stage for decision in decisions]
        write_json(self.folder.path / PROVENANCE_NAME, provenance(self.loaded.config, stages))

    def _run_stage(self, decision: Decision) -> None:
        began, cpu_began = time.perf_counter(), _cpu_seconds()
        stage = decision.stage
        kept = [item.benchmark.name for item in decision.benchmarks if item.source is not None]
        out = self.folder.begin(stage.name, stage.key, keep=kept)
        keys = {need: self._key_of(need) for need in stage.needs}
        # older than the configuration (--only): what is made of them is finished, and is never
        # taken for the current one
        stale = frozenset(need for need, key in keys.items() if key != self._expected[need])
        context = StageContext(
            self.loaded.config,
            self.folder,
            stage,
            out,
            self.reporter,
            self.stop,
            benchmarks=decision.benchmarks,
            stale=stale,
        )
        with log_to(self.folder.log(stage.name)):
            logger.info("stage %s begins, key %s", stage.name, stage.key)
            _stage_function(stage.kind)(context)
            seconds = time.perf_counter() - began
            cpu = _cpu_seconds() - cpu_began
            logger.info("stage %s is done in %.1f s, %.1f s of CPU", stage.name, seconds, cpu)
        parts = {
            "config": stage.config,
            "inputs": stage.inputs,
            "code": stage.code,
            "needs": keys,
        }
        key = stale_key(stage.key) if stale else stage.key
        self.folder.finish(new_record(stage.name, key, parts, seconds))
        self.reporter.end(stage, seconds)

    def _key_of(self, name: str) -> str:
        record = self.folder.record(name)
        assert record is not None, f"{name} is finished before what needs it"
        return record.key

    @contextmanager
    def _named_errors(self, stage: Stage) -> Iterator[None]:
        """The one boundary at which any error of a stage becomes a StageError with its name."""
        resume = "run the same command again to go on from here"
        try:
            yield
        except (KeyboardInterrupt, InterruptedRunError) as error:
            detail = f" ({error})" if str(error) else ""
            raise InterruptedRunError(
                f"interrupted in stage {stage.name}{detail}; finished stages are kept, {resume}"
            ) from error
        except Exception as error:
            log = self.folder.log(stage.name)
            with log_to(log):
                logger.exception("stage %s failed", stage.name)
            cause = storage_error(error, self.folder.path) or error
            message = f"stage {stage.name} failed: {_cause(cause)}\nlog: {log}; after a fix, "
            raise StageError(message + resume, exit_code=exit_code_of(cause)) from error


def _cpu_seconds() -> float:
    """CPU time of this process and of the children that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _cause(error: Exception) -> str:
    """The message of an error that a package raises on purpose; the type before any other."""
    return str(error) if is_known(error) else f"{type(error).__name__}: {error}"


def _stage_function(kind: StageKind) -> Callable[[StageContext], None]:
    """The function of a stage; its module is imported only now (torch, pyarrow, matplotlib)."""
    module, name = _FUNCTIONS[kind]
    function: Callable[[StageContext], None] = getattr(
        import_module(f"debias_cli.stages.{module}"), name
    )
    return function
