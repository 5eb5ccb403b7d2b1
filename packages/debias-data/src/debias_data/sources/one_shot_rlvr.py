"""One-shot RLVR (`pi1_r128.parquet`): one ungendered sail problem, the same in every row.

There is nothing to swap in it. `mark` brings gender in, with another template for every row, so
that 128 rows are 128 different pairs of one problem; all of them are one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from debias_data.config import OneShotRlvrSource
from debias_data.errors import BadRowError, EmptyResultError
from debias_data.gender.labelling import label
from debias_data.sources.base import Item, Problem, Skipped, register
from debias_data.sources.checks import checked_rows
from debias_data.sources.columns import iter_parquet, parquet_files


@register("one_shot_rlvr")
def read_one_shot_rlvr(config: OneShotRlvrSource) -> Iterator[Item]:
    """The rows, each with a mark template of its own.

    Raises:
        EmptyResultError: `operation: swap` was asked for and no row has a gender to swap.
    """
    return islice(_read(config), config.limit)


def _read(config: OneShotRlvrSource) -> Iterator[Item]:
    gendered = 0
    for path in parquet_files(config.path):
        rows = checked_rows(
            _prompts_and_answers(path),
            ("problem", "reward_model.ground_truth"),
            path=path,
            source="one_shot_rlvr",
            on_bad_row=config.on_bad_row,
        )
        for row in rows:
            if isinstance(row, Skipped):
                yield row
                continue
            number, (problem, answer) = row
            if config.operation == "swap":
                gendered += label(problem).value in ("female", "male")
            yield Problem(
                problem,
                answer,
                "one_shot_rlvr",
                "maths",
                place=f"{path}:{number}",
                operation=config.operation,
                variant=number - 1,
            )
    if config.operation == "swap" and not gendered:
        raise EmptyResultError(
            f"{config.path}: every row is the same problem and names no gender, so `swap` yields "
            "no pair; set `operation: mark` to bring gender in"
        )


def _prompts_and_answers(path: Path) -> Iterator[tuple[int, tuple[object, object]]]:
    for number, (problem, reward) in iter_parquet(path, ("problem", "reward_model")):
        if not isinstance(reward, dict) or "ground_truth" not in reward:
            raise BadRowError(path, number, "has no `ground_truth`", column="reward_model")
        yield number, (problem, reward["ground_truth"])
