"""The package's own word problems as a source: balanced by construction, nothing downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from debias_data.config import SyntheticSource
from debias_data.errors import BadConfigError
from debias_data.sources.base import Item, Pair, Prompt, register
from debias_data.synthetic import PairRow, iter_rows


@register("synthetic")
def read_synthetic(config: SyntheticSource) -> Iterator[Item]:
    """The generated pairs, in the generator's order.

    Raises:
        BadConfigError: more clusters than the templates can make.
    """
    return islice(_read(config), config.limit)


def _read(config: SyntheticSource) -> Iterator[Item]:
    rows = iter_rows(clusters=config.clusters, seed=config.seed, domain=config.domain)
    try:
        for female, male in zip(rows, rows, strict=True):
            yield Pair(
                pair_id=female["pair_id"],
                cluster_id=female["cluster_id"],
                female=_prompt(female),
                male=_prompt(male),
                source=female["source"],
                domain=female["domain"],
            )
    except ValueError as error:
        raise BadConfigError(f"source synthetic: {error}") from error


def _prompt(row: PairRow) -> Prompt:
    spans = tuple((span["start"], span["end"], span["text"]) for span in row["spans"])
    return Prompt(row["prompt"], row["reference"], spans)
