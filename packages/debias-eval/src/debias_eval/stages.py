"""The four stages of a benchmark, each a function of the file that the one before left.

items.jsonl → generations.jsonl (or scores.jsonl) → verdicts.jsonl → metrics.json

The model is needed for the second alone. While it runs, its rows go to an append-only log under a
key of weights, tokenizer, protocol, item and sample; a killed run repeats only the batches that the
log does not hold, with the same rows in each, so its files come out byte-equal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from debias_eval.errors import InputError, MissingError
from debias_eval.files import canonical_json, write_json
from debias_eval.jsonl import AppendLog, Row, read_rows, read_torn, write_rows
from debias_eval.progress import silent
from debias_eval.protocol import Protocol
from debias_eval.tasks.base import Batch, GradeSettings, Item
from debias_eval.tasks.registry import get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.backends.base import Backend
    from debias_eval.progress import Progress
    from debias_eval.results import Metrics
    from debias_eval.tasks.base import Task

__all__ = [
    "Benchmark",
    "ResumableSession",
    "ask_stage",
    "grade_stage",
    "metrics_stage",
    "read_items",
]

_KEY_LENGTH = 20
ITEMS, VERDICTS, METRICS, DESCRIPTION = "items.jsonl", "verdicts.jsonl", "metrics.json", "task.json"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of a run: which task, under which name and protocol, in which folder.

    Attributes:
        name: The name in ``results.json`` and of the folder.
        task: What is done.
        protocol: How, with the hash of the data filled in.
        folder: Where its files are.
    """

    name: str
    task: Task
    protocol: Protocol
    folder: Path

    def describe(self) -> None:
        """Write ``task.json``: what ``regrade`` needs to know."""
        write_json(
            self.folder / DESCRIPTION,
            {
                "task": self.task.info.name,
                "name": self.name,
                "protocol": self.protocol.to_dict(),
                "protocol_hash": self.protocol.hash,
            },
        )

    @classmethod
    def read(cls, folder: Path) -> Benchmark:
        """Return the benchmark whose files are in ``folder``.

        Raises:
            MissingError: It holds none.
            InputError: ``task.json`` is not one of ours.
        """
        path = folder / DESCRIPTION
        if not path.is_file():
            raise MissingError(f"{path}: no such file; {folder} holds no finished benchmark")
        try:
            row = json.loads(path.read_bytes())
            protocol = Protocol.from_dict(row["protocol"])
            return cls(str(row["name"]), get_task(str(row["task"])), protocol, folder)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not the description of a benchmark: {error}") from error


class ResumableSession:
    """The model, the protocol, and the log of one benchmark."""

    def __init__(self, backend: Backend, benchmark: Benchmark, progress: Progress = silent) -> None:
        self.backend = backend
        self.protocol = benchmark.protocol
        self._benchmark = benchmark
        self._progress = progress
        self._final = benchmark.folder / benchmark.task.responses_file
        self._part = self._final.with_suffix(".part.jsonl")
        self._log = {
            str(row["key"]): row
            for path in (self._final, self._part)
            for row in read_torn(path)
            if "key" in row
        }
        identity = backend.identity()
        self._base = canonical_json(
            [
                backend.name,
                backend.variant,
                identity.weights_sha256,
                identity.tokenizer_sha256,
                benchmark.task.info.name,
                self.protocol.to_dict() | {"profile": ""},
            ]
        )

    def key(self, item: Item, part: str) -> str:
        """Return the cache key of one part of an item."""
        content = canonical_json([self._base, item.row(), part])
        return hashlib.sha256(content.encode()).hexdigest()[:_KEY_LENGTH]

    def known(self, keys: Sequence[str]) -> list[Row] | None:
        """Return the rows of ``keys`` if the log holds every one of them."""
        if any(key not in self._log for key in keys):
            return None
        return [self._log[key] for key in keys]

    def collect(self, batches: Sequence[Batch]) -> dict[str, Row]:
        """Return the rows of all batches by key.

        A batch of which a row is missing is run whole: its rows depend, in the last bits, on each
        other.
        """
        total = sum(len(batch.keys) for batch in batches)
        done = 0
        found: dict[str, Row] = {}
        with AppendLog(self._part) as log:
            for batch in batches:
                rows = self.known(batch.keys)
                if rows is None:
                    rows = [
                        {**row, "key": key}
                        for key, row in zip(batch.keys, batch.compute(), strict=True)
                    ]
                    log.append(rows)
                found.update(zip(batch.keys, rows, strict=True))
                done += len(rows)
                self._progress(self._benchmark.name, "model", done, total)
        return found

    def finish(self, rows: Sequence[Row]) -> None:
        """Write the responses under their final name and drop the log."""
        write_rows(self._final, rows)
        self._part.unlink(missing_ok=True)


def read_items(folder: Path) -> list[Item]:
    """Return the items that a run left in ``folder``."""
    path = folder / ITEMS
    try:
        return [Item.from_row(row) for _, row in read_rows(path)]
    except KeyError as error:
        raise InputError(f"{path}: a row lacks the field {error}") from error


def ask_stage(
    benchmark: Benchmark, items: Sequence[Item], backend: Backend, progress: Progress = silent
) -> list[Row]:
    """Ask the model what is not in the log yet; write and return the responses."""
    session = ResumableSession(backend, benchmark, progress)
    responses = benchmark.task.ask(items, session)
    session.finish(responses)
    return responses


def grade_stage(
    benchmark: Benchmark,
    items: Sequence[Item],
    responses: Sequence[Row],
    settings: GradeSettings,
    progress: Progress = silent,
) -> list[Row]:
    """Grade responses; write and return the verdicts."""
    total = len(responses)
    progress(benchmark.name, "grade", 0, total)
    settings = replace(
        settings, on_graded=lambda done: progress(benchmark.name, "grade", done, total)
    )
    verdicts = benchmark.task.grade(items, responses, benchmark.protocol, settings)
    write_rows(benchmark.folder / VERDICTS, verdicts)
    progress(benchmark.name, "grade", total, total)
    return verdicts


def metrics_stage(
    benchmark: Benchmark,
    items: Sequence[Item],
    verdicts: Sequence[Row],
    settings: GradeSettings,
) -> Metrics:
    """Summarise verdicts; write the side files and ``metrics.json``, return the metrics."""
    task = benchmark.task
    for name, rows in task.side_files(items, verdicts).items():
        write_rows(benchmark.folder / name, rows)
    metrics = task.summarise(items, verdicts, benchmark.protocol, settings)
    write_json(benchmark.folder / METRICS, cast("dict[str, object]", asdict(metrics)))
    return metrics
