"""Prompt pairs: from the rows of a pair table to batches that always hold both sides.

A row is a mapping with `pair_id`, `cluster_id`, `group`, `prompt` and perhaps `reference` (more
columns are ignored); a pair is one row a declared group, which differ in the group's markers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from debias_core.config import GROUPS
from debias_core.errors import DataError

_COLUMNS = ("pair_id", "cluster_id", "group", "prompt")

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PromptPair:
    """The same prompt for every declared group.

    Attributes:
        prompts: one text a declared group, in their order.
        references: the reference answer of each, where the data has one.
    """

    pair_id: str
    cluster_id: str
    prompts: tuple[str, ...]
    references: tuple[str | None, ...]


def read_pairs(
    rows: Iterable[Row], *, name: str = "the data", groups: Sequence[str] = GROUPS
) -> list[PromptPair]:
    """Returns the pairs in the order in which their first row comes.

    Args:
        rows: mappings, or anything with `.to_pylist()` such as a `pyarrow.Table`.
        name: how the data is called in error messages.
        groups: the declared groups.

    Raises:
        DataError: nothing in it, a column missing, an undeclared group, a side missing or doubled,
            an empty prompt, or two cluster ids in one pair.
    """
    to_pylist = getattr(rows, "to_pylist", None)
    if to_pylist is not None:
        rows = to_pylist()
    sides: dict[str, dict[str, _Side]] = {}
    clusters: dict[str, str] = {}
    for number, row in enumerate(rows):
        where = f"{name}, row {number}"
        pair_id, cluster_id, group, prompt = _cells(row, where)
        if group not in groups:
            raise DataError(f"{where}: group {group!r} is not one of {list(groups)}")
        if clusters.setdefault(pair_id, cluster_id) != cluster_id:
            raise DataError(f"{where}: pair {pair_id!r} has two cluster ids")
        if group in sides.setdefault(pair_id, {}):
            raise DataError(f"{where}: pair {pair_id!r} has two {group} rows")
        sides[pair_id][group] = _Side(prompt, _reference(row, where))
    if not sides:
        raise DataError(f"{name} holds no pair; there is nothing to measure or train on")
    pairs = []
    for pair_id, found in sides.items():
        missing = [group for group in groups if group not in found]
        if missing:
            raise DataError(f"{name}: pair {pair_id!r} has no {missing[0]} row")
        prompts, references = zip(*(found[group] for group in groups), strict=True)
        pairs.append(PromptPair(pair_id, clusters[pair_id], prompts, references))
    return pairs


class _Side(NamedTuple):
    prompt: str
    reference: str | None


def _cells(row: Row, where: str) -> list[str]:
    values = []
    for column in _COLUMNS:
        value = row.get(column)
        if not isinstance(value, str) or not value:
            raise DataError(f"{where}: column {column!r} must hold a text, not {value!r}")
        values.append(value)
    return values


def _reference(row: Row, where: str) -> str | None:
    value = row.get("reference")
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where}: column 'reference' must hold a text or null, not {value!r}")
    return value or None


def batches(
    pairs: Sequence[PromptPair], *, pairs_per_batch: int, seed: int, start: int = 0
) -> Iterator[list[PromptPair]]:
    """Yields batches without end, from step `start` on.

    The order is a function of (seed, epoch) and the position one of the step, so a run that is
    resumed sees what an undisturbed one would. Every epoch shows each pair once, but for the rest
    that does not fill a batch.

    Raises:
        DataError: fewer pairs than one batch takes.
    """
    per_epoch = len(pairs) // pairs_per_batch
    if per_epoch == 0:
        raise DataError(
            f"{len(pairs)} training pairs do not fill one batch of {pairs_per_batch} pairs; "
            "lower effective_batch_size or bring more data"
        )
    step = start
    while True:
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(pairs))
        chosen = order[position * pairs_per_batch : (position + 1) * pairs_per_batch]
        yield [pairs[i] for i in chosen]
        step += 1
