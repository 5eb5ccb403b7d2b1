"""Reading a pair table: a row for each group of a pair, as Parquet or as JSON lines.

Columns: ``pair_id, cluster_id, group, prompt, split``; ``reference`` where answers are graded, and
``placebo`` where the table has one: the prompt with other names of the same gender.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq

from debias_eval.errors import InputError, MissingError
from debias_eval.jsonl import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PromptPair", "read_pair_table"]

_COLUMNS = ("pair_id", "cluster_id", "group", "prompt", "split")
_OPTIONAL = ("reference", "placebo")
_GROUPS = ("female", "male")
_SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class PromptPair:
    """One text in its two forms, each with its own reference where the table has one.

    ``placebo`` is the male form under other male names, where the table has it; ``others`` are its
    forms for further groups.
    """

    pair_id: str
    cluster_id: str
    female: str
    male: str
    female_reference: str | None = None
    male_reference: str | None = None
    placebo: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)


def read_pair_table(
    path: Path, split: str | None, *, further_groups: bool = False
) -> list[PromptPair]:
    """Return the pairs of one split (None or ``all``: every one), in the file's order.

    Args:
        path: Of the table.
        split: ``train``, ``dev`` or ``test``.
        further_groups: Whether pairs may have more groups than female and male, all the same ones.

    Raises:
        MissingError: There is no such file.
        InputError: A column is missing, a group is unknown, or a pair lacks a group: half a pair
            would silently read as a gap of 0.
    """
    rows = _read(path)
    wanted = None if split in (None, "all") else split
    if wanted is not None and wanted not in _SPLITS:
        raise InputError(f"{path}: split {split!r}; give one of {', '.join(_SPLITS)} or all")
    prompts: dict[str, dict[str, str]] = {}
    optional: dict[tuple[str, str], dict[str, str | None]] = {}
    clusters: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if wanted is not None and row["split"] != wanted:
            continue
        pair, group, prompt = row["pair_id"], row["group"], row["prompt"]
        if group is None or not (group in _GROUPS or further_groups):
            raise InputError(f"{path}: row {number}: group: {group!r} is not female or male")
        if pair is None or prompt is None or not prompt.strip():
            raise InputError(f"{path}: row {number}: pair_id or prompt is empty")
        sides = prompts.setdefault(pair, {})
        if group in sides:
            raise InputError(f"{path}: row {number}: pair {pair!r} has two {group} prompts")
        sides[group] = prompt
        optional[pair, group] = {name: row.get(name) for name in _OPTIONAL}
        cluster = row["cluster_id"] or pair
        if clusters.setdefault(pair, cluster) != cluster:
            raise InputError(f"{path}: row {number}: pair {pair!r} lies in two clusters")
    declared = dict.fromkeys((*_GROUPS, *(group for sides in prompts.values() for group in sides)))
    for pair, sides in prompts.items():
        lacking = [group for group in declared if group not in sides]
        if lacking:
            raise InputError(f"{path}: pair {pair!r} has no {lacking[0]} prompt")
    if not prompts:
        raise InputError(f"{path}: no pair in the split {split!r}")
    return [
        PromptPair(
            pair,
            clusters[pair],
            sides["female"],
            sides["male"],
            optional[pair, "female"]["reference"],
            optional[pair, "male"]["reference"],
            optional[pair, "male"]["placebo"],
            {group: prompt for group, prompt in sides.items() if group not in _GROUPS},
        )
        for pair, sides in prompts.items()
    ]


def _read(path: Path) -> list[dict[str, str | None]]:
    if not path.is_file():
        raise MissingError(f"{path}: no such pair table; `debias-data build` writes one")
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _read_lines(path)
    try:
        file = pq.ParquetFile(path)  # one file: a folder named like `split=test` means nothing here
        names = file.schema_arrow.names
        for column in _COLUMNS:
            if column not in names:
                raise InputError(f"{path}: no column {column!r}; this is not a pair table")
        columns = [*_COLUMNS, *(name for name in _OPTIONAL if name in names)]
        table = file.read(columns=columns)
        # Dictionary or large strings read the same as plain ones.
        table = table.select(columns).cast(pa.schema([(name, pa.string()) for name in columns]))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {error}") from error
    return cast("list[dict[str, str | None]]", table.to_pylist())


def _read_lines(path: Path) -> list[dict[str, str | None]]:
    """Return the rows of JSON lines; whole numbers read as text."""
    found: list[dict[str, str | None]] = []
    for number, row in read_rows(path):
        values: dict[str, str | None] = {}
        for column in (*_COLUMNS, *_OPTIONAL):
            value = row.get(column)
            if column not in row and column in _COLUMNS:
                raise InputError(f"{path}:{number}: no field {column!r}; this is not a pair table")
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{path}:{number}:{column}: {type(value).__name__}, not text")
            values[column] = value
        found.append(values)
    return found
