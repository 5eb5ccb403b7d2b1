"""Which benchmarks of an evaluation are finished somewhere, and which run, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from debias_cli.rundir.benchmarks import BenchmarkRecord, finished_benchmarks
from debias_cli.rundir.folder import RunFolder, damage
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import Stage
from debias_cli.stages.keys import Benchmark
from debias_cli.stages.reasons import differences


@dataclass(frozen=True, slots=True)
class BenchmarkDecision:
    """Whether a benchmark runs, and why.

    Attributes:
        source: the folder with its finished result; None when it runs.
    """

    benchmark: Benchmark
    reasons: tuple[str, ...]
    source: Path | None = None

    @property
    def action(self) -> str:
        """`run` or `copy`."""
        return "run" if self.source is None else "copy"


def decide_benchmarks(
    stage: Stage, folder: RunFolder, hashes: HashCache
) -> tuple[BenchmarkDecision, ...]:
    """One decision a benchmark of the stage, in order."""
    return tuple(_decide(item, stage.name, folder, hashes) for item in stage.benchmarks)


def _decide(
    benchmark: Benchmark, stage: str, folder: RunFolder, hashes: HashCache
) -> BenchmarkDecision:
    latest: BenchmarkRecord | None = None
    broken: str | None = None
    for path, record in finished_benchmarks(folder, stage, benchmark.name):
        latest = latest or record
        if record.key != benchmark.key:
            continue
        found = damage(path, record, hashes)
        if found is None:
            # also where it was begun here and not finished as a whole
            return BenchmarkDecision(benchmark, (f"finished in {_place(path)}",), path)
        broken = broken or found
    if broken is not None:
        return BenchmarkDecision(benchmark, (broken,))
    reasons = ("never ran",) if latest is None else differences(benchmark, latest)
    return BenchmarkDecision(benchmark, reasons)


def _place(path: Path) -> str:
    """`RUN/STAGE` of a benchmark's folder."""
    return f"{path.parent.parent.name}/{path.parent.name}"
