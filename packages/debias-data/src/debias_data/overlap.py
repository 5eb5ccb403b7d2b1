"""Which evaluation benchmark a text overlaps with: long word sequences that stand in both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from debias_data.config import BenchmarkConfig, OverlapConfig
from debias_data.errors import BadConfigError, BadRowError, MissingInputError
from debias_data.files import require_file
from debias_data.jsonl import read_jsonl, text_field
from debias_data.ngrams import Hashes, ngram_hashes
from debias_data.sources.columns import iter_parquet

DATA_DIR_VARIABLE = "DEBIAS_DATA_DIR"


class _Known(NamedTuple):
    file: str
    column: str


# Where the published files lie in a data folder.
KNOWN = {
    "aime24": _Known("aime24/test.jsonl", "problem"),
    "aime25": _Known("aime25/test.jsonl", "problem"),
    "bigcodebench": _Known("bigcodebench/BigCodeBench-v0.1.0_hf.jsonl.gz", "instruct_prompt"),
    "gsm8k": _Known("gsm8k/test.jsonl", "question"),
    "humaneval": _Known("humaneval/HumanEval.jsonl.gz", "prompt"),
    "math": _Known("math/test.jsonl", "problem"),
    "math500": _Known("math500/test.jsonl", "problem"),
    "mbpp": _Known("mbpp/mbpp.jsonl", "text"),
}


@dataclass(frozen=True, slots=True)
class BenchmarkIndex:
    """The word sequences of all benchmarks.

    Attributes:
        words: length of a sequence.
        names: of the benchmarks.
        items: how many texts each benchmark has.
        hashes: of the sequences, sorted.
        owners: index in `names` for each hash; the first benchmark that has it.
    """

    words: int
    names: tuple[str, ...]
    items: tuple[int, ...]
    hashes: Hashes
    owners: np.ndarray[tuple[int], np.dtype[np.uint8]]

    def find(self, *texts: str) -> str | None:
        """The first benchmark that shares a word sequence with one of the texts, or None."""
        for text in texts:
            wanted = ngram_hashes(text, self.words)
            places = np.searchsorted(self.hashes, wanted)
            places[places == len(self.hashes)] = 0
            hit = np.flatnonzero(self.hashes[places] == wanted) if len(self.hashes) else ()
            if len(hit):
                return self.names[int(self.owners[places[hit]].min())]
        return None


def load_benchmarks(config: OverlapConfig, base_dir: Path | None = None) -> BenchmarkIndex:
    """Read the benchmarks of `config`; relative paths are relative to `base_dir`.

    Raises:
        BadConfigError: a benchmark is not known by its name and has no path or column.
        MissingInputError: its file is not there.
        BadRowError: a row has no such text.
    """
    hashes: list[Hashes] = []
    items: list[int] = []
    for benchmark in config.benchmarks:
        path, column = _located(benchmark, config, base_dir)
        found = [ngram_hashes(text, config.words) for text in _texts(path, column)]
        items.append(len(found))
        hashes.append(np.concatenate([np.empty(0, np.uint64), *found]))
    owners = np.repeat(np.arange(len(hashes), dtype=np.uint8), [len(part) for part in hashes])
    distinct, first = np.unique(np.concatenate(hashes), return_index=True)
    names = tuple(benchmark.name for benchmark in config.benchmarks)
    return BenchmarkIndex(config.words, names, tuple(items), distinct, owners[first])


def _located(
    benchmark: BenchmarkConfig, config: OverlapConfig, base_dir: Path | None
) -> tuple[Path, str]:
    known = KNOWN.get(benchmark.name)
    column = benchmark.column or (known.column if known else None)
    if column is None or (benchmark.path is None and known is None):
        raise BadConfigError(
            f"benchmark {benchmark.name!r} is not known by its name; give it `path` and `column` "
            f"(known: {', '.join(sorted(KNOWN))})"
        )
    if benchmark.path is not None:
        return (base_dir or Path()) / benchmark.path, column
    assert known is not None
    given = os.environ.get(DATA_DIR_VARIABLE)
    folder = config.data_dir if config.data_dir is not None else Path(given) if given else None
    if folder is None:
        raise MissingInputError(
            f"benchmark {benchmark.name!r}: no data folder; set `overlap.data_dir` or "
            f"{DATA_DIR_VARIABLE} to a folder with {known.file}, or give the benchmark a `path`"
        )
    return (base_dir or Path()) / folder / known.file, column


def _texts(path: Path, column: str) -> Iterator[str]:
    if path.suffix == ".parquet":
        for number, (value,) in iter_parquet(require_file(path), [column]):
            if not isinstance(value, str):
                raise BadRowError(
                    path, number, f"expected text, found {type(value).__name__}", column=column
                )
            yield value
        return
    for number, row in read_jsonl(path):
        yield text_field(row, column, path=path, number=number)
