"""`build`: sources → labels → swaps → a checked pair table with its card.

The pairs are spilled to disk as they are made, so that memory does not grow with the sources; what
the table needs to know of all of them at once (ids, strata, lengths) is a few numbers a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from debias_data.arrays import int64s
from debias_data.balance import Selection, balance
from debias_data.card import Tally, make_card, show_near_duplicates
from debias_data.config import (
    BuildConfig,
    NuminaSource,
    OneShotRlvrSource,
    ParquetSource,
    PluginSource,
    SourceConfig,
    SyntheticSource,
)
from debias_data.counterfactual import Dropped
from debias_data.errors import EmptyResultError, InvalidInputError
from debias_data.jsonl import Json
from debias_data.ledger import Ledger
from debias_data.minhash import PLACES, near_duplicates
from debias_data.overlap import load_benchmarks
from debias_data.sources.base import Item, get_reader
from debias_data.sources.columns import count_rows, parquet_files
from debias_data.spill import Draft, Spill
from debias_data.table import SCHEMA, PairTable, check_name, write_pairs
from debias_data.token_counts import token_counter
from debias_data.work import Chunk, Facts, Task, worked

# Called with the number of items that were worked off since the last call.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Written:
    """A table that was written.

    Attributes:
        path: of the Parquet file; its card is beside it.
        num_pairs: in it.
        card: as it was written.
    """

    path: Path
    num_pairs: int
    card: dict[str, Json]


def build(
    config: BuildConfig, *, base_dir: Path | None = None, progress: Progress | None = None
) -> PairTable:
    """The pair table that `config` describes, checked, with its card; nothing is written.

    The same config and inputs give the same rows in the same order for any number of workers.
    The table is held in memory; `build_to` writes it without that.

    Args:
        config: sources, split and balance.
        base_dir: what relative paths in the config are relative to; None is the working folder.
        progress: told how many problems were worked off.

    Raises:
        EmptyResultError: no pair came out, with the reasons and their counts.
        BadRowError, InvalidInputError, MissingInputError: a source cannot be read.
        OutOfBalanceError: the table is less even than the config allows.
    """
    with _Build(config, Spill()) as state:
        state.collect(base_dir, progress)
        selection, card = state.finish()
        rows = pa.Table.from_batches(state.rows(selection), schema=SCHEMA)
    return PairTable(rows, card=card)


def build_to(
    path: Path | str,
    config: BuildConfig,
    *,
    base_dir: Path | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write the table of `build` and its card, complete or not at all, in little memory.

    The bytes are those of `build(...).write(path)`. A temporary file without a name, about as
    large as the table, stands in the folder of `path` meanwhile.

    Raises:
        InvalidInputError: `path` does not end in `.parquet`.
        DebiasDataError: it cannot be written, and all that `build` raises.
    """
    target = Path(path)
    check_name(target)
    takes_all = config.balance.method == "none" and config.near_duplicates is None
    with _Build(config, (Draft if takes_all else Spill)(target.parent)) as state:
        state.collect(base_dir, progress)
        selection, card = state.finish()
        written = state.write(target, selection, card)
    return Written(target, len(selection.places), written)


@dataclass(slots=True)
class _Build:
    config: BuildConfig
    store: Spill | Draft
    tally: Tally = field(default_factory=Tally)
    ledger: Ledger = field(default_factory=Ledger)
    overlaps: dict[str, dict[str, int]] = field(default_factory=dict)
    near_duplicates: dict[int, int] = field(default_factory=dict)  # left out → like

    def __enter__(self) -> _Build:
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    def collect(self, base_dir: Path | None, progress: Progress | None) -> None:
        """Work off all sources, or as many problems as `max_pairs` takes."""
        config, benchmarks = self.config, None
        if config.overlap is not None:
            benchmarks = load_benchmarks(config.overlap, base_dir)
            self.overlaps = {
                name: {"items": items, "pairs_that_overlap": 0}
                for name, items in zip(benchmarks.names, benchmarks.items, strict=True)
            }
        duplicates, tokenizer = config.near_duplicates, config.tokenizer
        if tokenizer is not None:
            tokenizer = (base_dir or Path()) / tokenizer
            token_counter(tokenizer)  # before any work, and here rather than in a worker
        for source in config.sources:
            task = Task(
                config.min_confidence,
                config.split,
                config.seed,
                source.split,
                benchmarks=benchmarks,
                duplicate_words=duplicates.words if duplicates is not None else 0,
                tokenizer=tokenizer,
                wants_spares=config.balance.method == "complete",
            )
            items = _open(source, base_dir)
            with closing(worked(items, task, workers=config.workers)) as chunks:
                for chunk in chunks:
                    self._add(chunk)
                    if progress is not None:
                        progress(len(chunk.outcomes))
                    if self._is_full():
                        return

    def _is_full(self) -> bool:
        return self.config.max_pairs is not None and self.ledger.num_pairs >= self.config.max_pairs

    def _add(self, chunk: Chunk) -> None:
        number = 0
        kept: list[int] = []
        for outcome in chunk.outcomes:
            if isinstance(outcome, Dropped):
                self.tally.drop(outcome.source, outcome.reason, outcome.place)
                continue
            why_not = self._why_not(outcome)
            if why_not is None:
                self.tally.make(outcome.source)
                kept += (2 * number, 2 * number + 1)
            else:
                self.tally.drop(outcome.source, why_not, outcome.pair_id)
            number += 1
            if self._is_full():
                break
        self.store.add(_taken(chunk.rows, kept))
        spares: list[int] = []
        for number, facts in enumerate(chunk.spares):
            is_apart = facts.overlap is None or facts.split != "train"
            if is_apart and self.ledger.add(facts, is_spare=True):
                spares += (2 * number, 2 * number + 1)
        self.store.add(_taken(chunk.spare_rows, spares))

    def _why_not(self, facts: Facts) -> str | None:
        """Enter a pair; or why it is left out."""
        if facts.overlap is not None:
            self.overlaps[facts.overlap]["pairs_that_overlap"] += 1
            if facts.split == "train":
                return f"overlaps with {facts.overlap}"
        return None if self.ledger.add(facts) else "duplicate"

    def _distinct(self) -> list[int]:
        """The places of the pairs that are no near-duplicates of an earlier one."""
        config, spares = self.config.near_duplicates, self.ledger.spares
        if config is None:
            return [place for place in range(len(self.ledger)) if not spares[place]]
        signatures = np.frombuffer(self.ledger.signatures, np.uint32).reshape(-1, PLACES)
        places = np.flatnonzero(np.frombuffer(spares, np.uint8) == 0)
        found = near_duplicates(signatures[places], config.threshold)
        earlier = {int(places[later]): int(places[first]) for later, first in found.items()}
        self.near_duplicates = earlier
        sources, names = self.ledger.codes["source"], self.ledger.names["source"]
        for place, first in sorted(earlier.items()):
            source = names[sources[place]]
            self.tally.made[source] -= 1
            self.tally.drop(source, "near-duplicate", f"pair {place + 1}, like pair {first + 1}")
        return [place for place in places.tolist() if place not in earlier]

    def finish(self) -> tuple[Selection, dict[str, Json]]:
        """Which pairs the table has, and its card."""
        if not self.ledger.num_pairs:
            raise EmptyResultError(
                f"no pair came out of {self.tally.total} problems: {self.tally.reasons()}"
            )
        is_forced = any(source.split is not None for source in self.config.sources)
        leaking = self.ledger.cluster_in_two_splits() if is_forced else None
        if leaking is not None:
            raise InvalidInputError(
                f"the cluster of pair {leaking + 1} is in more than one split; give the sources "
                "that share it the same `split`"
            )
        selection, evenness = balance(
            self.ledger, self._distinct(), self.config.balance, seed=self.config.seed
        )
        for place in selection.places:
            if self.ledger.spares[place]:
                self.tally.use_spare(self.ledger.name("source", place))
        card = make_card(self.ledger, selection.places, self.tally, self.config, evenness)
        if self.near_duplicates:
            card["near_duplicates"] = show_near_duplicates(self._spill, self.near_duplicates)
        if self.config.overlap is not None:
            card["overlap"] = {name: {**counts} for name, counts in self.overlaps.items()}
        return selection, card

    def write(self, path: Path, selection: Selection, card: dict[str, Json]) -> dict[str, Json]:
        """Write the selected pairs and the card; the card as it was written."""
        num_rows = 2 * len(selection.places)
        if isinstance(self.store, Draft):
            return self.store.write(path, card, num_rows=num_rows)
        return write_pairs(path, self.rows(selection), card, num_rows=num_rows)

    @property
    def _spill(self) -> Spill:
        assert isinstance(self.store, Spill)  # a draft is taken as it is
        return self.store

    def rows(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """The rows of the selected pairs."""
        start = 0
        for batch in self._spill.read(selection.places):
            stop = start + batch.num_rows // 2
            yield _renamed(batch, [selection.suffixes.get(i, "") for i in range(start, stop)])
            start = stop


def _taken(rows: pa.RecordBatch, kept: list[int]) -> pa.RecordBatch:
    return rows if len(kept) == rows.num_rows else rows.take(int64s(kept))


def _renamed(batch: pa.RecordBatch, suffixes: list[str]) -> pa.RecordBatch:
    if not any(suffixes):
        return batch
    column = SCHEMA.get_field_index("pair_id")
    added = pa.array([suffix for suffix in suffixes for _ in range(2)])
    names = pc.binary_join_element_wise(batch.column(column), added, "")
    return batch.set_column(column, SCHEMA.field(column), names)


def expected_items(config: BuildConfig, *, base_dir: Path | None = None) -> int | None:
    """How many problems the sources hold; None where that takes reading them."""
    counts = [_expected(_located(source, base_dir)) for source in config.sources]
    return None if None in counts else sum(filter(None, counts))


def _expected(source: SourceConfig) -> int | None:
    if isinstance(source, SyntheticSource):
        count = source.clusters
    elif isinstance(source, NuminaSource | OneShotRlvrSource | ParquetSource):
        count = sum(map(count_rows, parquet_files(source.path)))
    else:
        return None
    return count if source.limit is None else min(count, source.limit)


def _located(source: SourceConfig, base_dir: Path | None) -> SourceConfig:
    path = getattr(source, "path", None)
    if path is not None and base_dir is not None and not path.is_absolute():
        return source.model_copy(update={"path": base_dir / path})
    return source


def _open(source: SourceConfig, base_dir: Path | None) -> Iterator[Item]:
    if isinstance(source, PluginSource):
        return islice(get_reader(source.name)(source.options), source.limit)
    return get_reader(source.kind)(_located(source, base_dir))
