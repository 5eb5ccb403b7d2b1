"""Finished benchmarks inside of evaluations: each keeps what made it, and can be taken over alone.

`STAGE/NAME/benchmark.json` is written when a benchmark is complete, long before its stage is: what
one run finished is there for the next, also when the stage as a whole never ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from debias_cli.errors import DamagedError
from debias_cli.rundir.files import link_tree
from debias_cli.rundir.folder import Record, RunFolder, load_record, now

BENCHMARK_RECORD = "benchmark.json"


class BenchmarkRecord(Record):
    """What `benchmark.json` holds about a finished benchmark.

    Attributes:
        head: everything in `results.json` that is not about one benchmark.
        result: its row in `results.json`.
    """

    benchmark: str
    head: dict[str, JsonValue]
    result: dict[str, JsonValue]


def new_benchmark_record(
    benchmark: str,
    key: str,
    parts: Mapping[str, Mapping[str, object]],
    seconds: float,
    *,
    head: Mapping[str, JsonValue],
    result: JsonValue,
) -> BenchmarkRecord:
    """A record without files; `parts` holds config, inputs, code and needs."""
    content = {**parts, "benchmark": benchmark, "key": key, "head": head, "result": result}
    return BenchmarkRecord.model_validate({**content, "seconds": seconds, "finished": now()})


def finished_benchmarks(
    folder: RunFolder, stage: str, name: str
) -> Iterator[tuple[Path, BenchmarkRecord]]:
    """Finished results of a benchmark: of this run, then of others, the latest first."""
    for parent in (folder.partial(stage), folder.stage(stage)):
        record = _read(parent / name)
        if record is not None:
            yield parent / name, record
    found: list[tuple[str, Path, BenchmarkRecord]] = []
    for pattern in (stage, f"{stage}.partial"):
        for path in folder.path.parent.glob(f"*/{pattern}/{name}/{BENCHMARK_RECORD}"):
            if path.parents[2] == folder.path:
                continue
            record = _read(path.parent)
            if record is not None:
                found.append((record.finished, path.parent, record))
    for _, path, record in sorted(found, key=lambda item: item[0], reverse=True):
        yield path, record


def take_over(source: Path, target: Path) -> BenchmarkRecord | None:
    """Links a finished benchmark into a stage and returns its record.

    None where it is no longer there: its run may have gone on since it was found.
    """
    if source != target:
        waiting = target.with_name(f".{target.name}.taken")
        shutil.rmtree(waiting, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        try:
            link_tree(source, waiting)
        except (FileNotFoundError, shutil.Error):
            shutil.rmtree(waiting, ignore_errors=True)
            return None
        waiting.rename(target)
    return _read(target)


def _read(folder: Path) -> BenchmarkRecord | None:
    try:
        return load_record(folder / BENCHMARK_RECORD, BenchmarkRecord)
    except DamagedError:
        return None  # then it is not finished
