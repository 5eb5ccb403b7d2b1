"""What is done with a chunk of problems, here or in worker processes: the same either way.

A chunk comes back as rows in an Arrow batch, which is cheap to hand over, and the few facts about
each pair that the build keeps in memory.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from debias_data.arrays import int32s, optional_texts, texts
from debias_data.config import SplitConfig, SplitName
from debias_data.counterfactual import Dropped, Made, Side, make_pair
from debias_data.errors import DebiasDataError
from debias_data.gender.labelling import label
from debias_data.ledger import digest64
from debias_data.minhash import signature
from debias_data.overlap import BenchmarkIndex
from debias_data.placebo import placebo
from debias_data.sources.base import Item, Pair, Problem, Prompt
from debias_data.splits import split_of
from debias_data.table import GROUPS, SCHEMA
from debias_data.token_counts import names_of_equal_length, token_counter

CHUNK = 1024
_MARK_VARIANTS = 512
_PARENT_CHECK_SECONDS = 0.5
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


class Facts(NamedTuple):
    """What a build remembers of a pair whose rows are on disk.

    Attributes:
        origin: the gender of the given text, `marked` or `published`.
        characters: of the female prompt.
        words_apart, characters_apart: female minus male prompt.
        tokens_apart: the same in tokens, where a tokenizer is given.
        overlap: the benchmark that a prompt shares a word sequence with.
        signature: of the female prompt, where near-duplicates are looked for.
    """

    pair_id: str
    cluster_id: str
    source: str
    domain: str
    split: str
    origin: str
    confidence: float
    characters: int
    words_apart: int
    characters_apart: int
    tokens_apart: float
    overlap: str | None
    signature: bytes


class Chunk(NamedTuple):
    """What became of a chunk.

    Attributes:
        outcomes: one an item.
        rows: of the pairs, two a pair.
        spares: pairs that can be made of items which became none.
        spare_rows: their rows.
    """

    outcomes: list[Facts | Dropped]
    rows: pa.RecordBatch
    spares: list[Facts]
    spare_rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Task:
    """How the items of one source are worked.

    Attributes:
        forced: puts all pairs into one split.
        benchmarks: what pairs are compared with.
        duplicate_words: length of the word sequences of signatures; 0 makes none.
        wants_spares: neutral problems become marked pairs in reserve.
        tokenizer: counts tokens and prefers names of equal length; None does neither.
    """

    min_confidence: float
    split: SplitConfig
    seed: int
    forced: SplitName | None
    benchmarks: BenchmarkIndex | None = None
    duplicate_words: int = 0
    tokenizer: Path | None = None
    wants_spares: bool = False

    def __call__(self, items: Iterable[Item]) -> Chunk:
        """Work the items."""
        made: list[Made | Dropped] = []
        spare: list[Made] = []
        for item in items:
            pair = self._pair(item)
            made.append(pair)
            if self.wants_spares and isinstance(item, Problem) and isinstance(pair, Dropped):
                marked = self._pair(_to_be_marked(item))
                if pair.reason == "neutral" and isinstance(marked, Made):
                    spare.append(marked)
        outcomes = [pair if isinstance(pair, Dropped) else self._facts(pair) for pair in made]
        pairs = [pair for pair in made if isinstance(pair, Made)]
        return Chunk(outcomes, _rows(pairs), [self._facts(pair) for pair in spare], _rows(spare))

    def _pair(self, item: Item) -> Made | Dropped:
        opposites = names_of_equal_length(self.tokenizer) if self.tokenizer is not None else None
        pair = _work(item, self.min_confidence, opposites)
        if isinstance(pair, Dropped):
            return pair
        pair.split = self.forced or split_of(pair.cluster_id, shares=self.split, seed=self.seed)
        return pair

    def _facts(self, pair: Made) -> Facts:
        first, second = pair.female.text, pair.male.text
        words, benchmarks = self.duplicate_words, self.benchmarks
        count = token_counter(self.tokenizer) if self.tokenizer is not None else None
        return Facts(
            pair_id=pair.pair_id,
            cluster_id=pair.cluster_id,
            source=pair.source,
            domain=pair.domain,
            split=pair.split,
            origin=pair.origin,
            confidence=pair.confidence,
            characters=len(first),
            words_apart=len(first.split()) - len(second.split()),
            characters_apart=len(first) - len(second),
            tokens_apart=math.nan if count is None else count(first) - count(second),
            overlap=benchmarks.find(first, second) if benchmarks is not None else None,
            signature=signature(first, words).tobytes() if words else b"",
        )


def _rows(pairs: list[Made]) -> pa.RecordBatch:
    """The rows of the pairs, female first, column by column: a dictionary a row would be slow."""
    sides = [side for pair in pairs for side in (pair.female, pair.male)]

    def twice(values: list[str]) -> list[str]:
        return [value for value in values for _ in GROUPS]

    columns = [
        texts(twice([pair.pair_id for pair in pairs])),
        texts(twice([pair.cluster_id for pair in pairs])),
        texts([*GROUPS] * len(pairs)),
        texts([side.text for side in sides]),
        optional_texts([side.reference for side in sides]),
        optional_texts(
            [_placebo(side, pair.split) for pair in pairs for side in (pair.female, pair.male)]
        ),
        texts(twice([pair.source for pair in pairs])),
        texts(twice([pair.domain for pair in pairs])),
        texts(twice([pair.split for pair in pairs])),
        _span_lists(sides),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _placebo(side: Side, split: str) -> str | None:
    """What held-out prompts are compared with; no training looks at it."""
    return None if split == "train" else placebo(side.text, side.spans)


def _span_lists(sides: list[Side]) -> pa.ListArray:
    spans = [span for side in sides for span in side.spans]
    starts, ends = int32s([span[0] for span in spans]), int32s([span[1] for span in spans])
    values = [starts, ends, texts([span[2] for span in spans])]
    edges = int32s([*accumulate([len(side.spans) for side in sides], initial=0)])
    fields = list(SCHEMA.field("spans").type.value_type)
    return pa.ListArray.from_arrays(edges, pa.StructArray.from_arrays(values, fields=fields))


def _to_be_marked(problem: Problem) -> Problem:
    # Frames and names vary with the text, and with nothing else.
    variant = digest64(problem.text) % _MARK_VARIANTS
    return problem._replace(operation="mark", variant=variant)


def worked(items: Iterator[Item], task: Task, *, workers: int) -> Generator[Chunk, None, None]:
    """The chunks of `items`, in order, by `workers` processes (1: this one).

    Raises:
        DebiasDataError: a worker process was killed.
    """
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    with _few_collections():
        if workers == 1:
            yield from map(task, chunks)
        else:
            yield from _worked_by_pool(chunks, task, workers)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for cycles of garbage rarely.

    What a chunk leaves behind is freed by its reference counts: looking for cycles after every few
    hundred objects finds none, and costs a fifteenth of the time.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _worked_by_pool(
    chunks: Iterator[list[Item]], task: Task, workers: int
) -> Generator[Chunk, None, None]:
    pool = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(os.getpid(), task))
    try:
        waiting: deque[Future[Chunk]] = deque()
        for chunk in chunks:
            with _uninterrupted():
                waiting.append(pool.submit(_run, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DebiasDataError(
            "a worker process was killed, most often because the memory ran out; set a smaller "
            "number of `workers`"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Interruptions wait for the end of the block: a pool that is half started cannot be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []

    def put_off(number: int, _frame: object) -> None:
        waiting.append(number)

    handlers = {number: signal.signal(number, put_off) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for put_off_number in waiting:
            signal.raise_signal(put_off_number)


# The task of this worker process: handed over once, since it may hold large benchmarks.
_tasks: list[Task] = []


def _run(items: list[Item]) -> Chunk:
    return _tasks[-1](items)


def _start_worker(parent: int, task: Task) -> None:
    _tasks.append(task)
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # The parent decides about interruption; a worker only ends with it, however it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(_PARENT_CHECK_SECONDS)
    os._exit(1)


def _work(item: Item, min_confidence: float, opposites: Mapping[str, str] | None) -> Made | Dropped:
    if isinstance(item, Problem):
        return make_pair(item, min_confidence=min_confidence, opposites=opposites)
    if isinstance(item, Pair):
        return Made(
            item.pair_id,
            item.cluster_id,
            item.source,
            item.domain,
            "published",
            1.0,
            _side(item.female),
            _side(item.male),
        )
    return Dropped(item.reason, item.place, item.source)


def _side(prompt: Prompt) -> Side:
    spans = prompt.spans if prompt.spans is not None else label(prompt.text).spans
    return Side(prompt.text, prompt.reference, spans)
