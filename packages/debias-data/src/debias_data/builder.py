"""`build`: sources → labels → swaps → a checked pair table with its card."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from debias_data.balance import balance
from debias_data.card import Tally, make_card
from debias_data.config import BuildConfig, PluginSource, SourceConfig
from debias_data.counterfactual import Dropped, Made, make_pair
from debias_data.errors import EmptyResultError
from debias_data.gender.labelling import label
from debias_data.sources.base import Item, Pair, Problem, Prompt, get_reader
from debias_data.splits import split_of
from debias_data.table import PairRow, PairTable, SpanRow

CHUNK = 256

# Called with the number of items that were worked off since the last call.
Progress = Callable[[int], None]


def build(
    config: BuildConfig, *, base_dir: Path | None = None, progress: Progress | None = None
) -> PairTable:
    """The pair table that `config` describes, checked, with its card; nothing is written.

    The same config and inputs give the same rows in the same order for any number of workers.

    Args:
        config: sources, split and balance.
        base_dir: what relative paths in the config are relative to; None is the working folder.
        progress: told how many problems were worked off.

    Raises:
        EmptyResultError: no pair came out, with the reasons and their counts.
        BadRowError, InvalidInputError, MissingInputError: a source cannot be read.
        OutOfBalanceError: the table is less even than the config allows.
    """
    tally = Tally()
    made = list(
        islice(_unique(_all_pairs(config, base_dir, tally, progress), tally), config.max_pairs)
    )
    if not made:
        raise EmptyResultError(f"no pair came out of {tally.total} problems: {tally.reasons()}")
    splits = _forced_splits(config)
    for pair, source_index in made:
        forced = splits[source_index]
        for row in pair.rows:
            row["split"] = forced or split_of(
                row["cluster_id"], shares=config.split, seed=config.seed
            )
    kept, evenness = balance([pair for pair, _ in made], config.balance, seed=config.seed)
    rows = [row for pair in kept for row in pair.rows]
    return PairTable.from_rows(rows, card=make_card(kept, tally, config, evenness))


def _forced_splits(config: BuildConfig) -> list[str | None]:
    return [source.split for source in config.sources]


def _all_pairs(
    config: BuildConfig, base_dir: Path | None, tally: Tally, progress: Progress | None
) -> Iterator[tuple[Made, int]]:
    for index, source in enumerate(config.sources):
        items = _open(source, base_dir)
        for outcome in _worked(items, config):
            if progress is not None:
                progress(1)
            tally.add(outcome)
            if isinstance(outcome, Made):
                yield outcome, index


def _open(source: SourceConfig, base_dir: Path | None) -> Iterator[Item]:
    if isinstance(source, PluginSource):
        return islice(get_reader(source.name)(source.options), source.limit)
    path = getattr(source, "path", None)
    if path is not None and base_dir is not None and not path.is_absolute():
        source = source.model_copy(update={"path": base_dir / path})
    return get_reader(source.kind)(source)


def _worked(items: Iterator[Item], config: BuildConfig) -> Iterator[Made | Dropped]:
    work = partial(_work_chunk, min_confidence=config.min_confidence)
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    if config.workers == 1:
        for chunk in chunks:
            yield from work(chunk)
        return
    with ProcessPoolExecutor(config.workers) as pool:
        waiting: deque[Future[list[Made | Dropped]]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > 2 * config.workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _work_chunk(items: Iterable[Item], *, min_confidence: float) -> list[Made | Dropped]:
    return [_work(item, min_confidence) for item in items]


def _work(item: Item, min_confidence: float) -> Made | Dropped:
    if isinstance(item, Problem):
        return make_pair(item, min_confidence=min_confidence)
    if isinstance(item, Pair):
        rows = (_row(item, "female", item.female), _row(item, "male", item.male))
        return Made(rows, "published", 1.0)
    return Dropped(item.reason, item.place, item.source)


def _row(pair: Pair, group: str, prompt: Prompt) -> PairRow:
    spans = prompt.spans
    if spans is None:
        spans = tuple((s.start, s.end, s.text) for s in label(prompt.text).spans)
    return PairRow(
        pair_id=pair.pair_id,
        cluster_id=pair.cluster_id,
        group=group,
        prompt=prompt.text,
        reference=prompt.reference,
        source=pair.source,
        domain=pair.domain,
        split="train",
        spans=[SpanRow(start=start, end=end, text=text) for start, end, text in spans],
    )


def _unique(pairs: Iterator[tuple[Made, int]], tally: Tally) -> Iterator[tuple[Made, int]]:
    """The pairs without those whose id came before: the same problem twice."""
    seen: set[str] = set()
    for pair, index in pairs:
        first = pair.rows[0]
        if first["pair_id"] in seen:
            tally.drop_made(pair, "duplicate")
            continue
        seen.add(first["pair_id"])
        yield pair, index
