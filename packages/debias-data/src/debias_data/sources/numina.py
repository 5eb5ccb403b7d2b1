"""NuminaMath-CoT (https://huggingface.co/datasets/AI-MO/NuminaMath-CoT): problem and solution.

A row: `{source: "gsm8k", problem: "Natalia sold …", solution: "… #### 72", messages: […]}`; the
messages repeat the other two and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from debias_data.config import NuminaSource
from debias_data.sources.base import Item, Problem, Skipped, register
from debias_data.sources.checks import checked_rows
from debias_data.sources.columns import iter_parquet, parquet_files

_COLUMNS = ("source", "problem", "solution")


@register("numina")
def read_numina(config: NuminaSource) -> Iterator[Item]:
    """The problems of the file or folder, in order."""
    return islice(_read(config), config.limit)


def _read(config: NuminaSource) -> Iterator[Item]:
    for path in parquet_files(config.path):
        rows = checked_rows(
            iter_parquet(path, _COLUMNS),
            _COLUMNS,
            path=path,
            source="numina",
            on_bad_row=config.on_bad_row,
        )
        for row in rows:
            if isinstance(row, Skipped):
                yield row
                continue
            number, (subset, problem, solution) = row
            source = f"numina/{subset}"
            place = f"{path}:{number}"
            if config.subsets is not None and subset not in config.subsets:
                yield Skipped("another subset", place, source)
                continue
            yield Problem(
                problem, solution, source, "maths", place=place, operation=config.operation
            )
