"""Problems in a data set of the Hugging Face hub, streamed: nothing is held but the current row."""

# ruff: noqa: PLC0415 - heavy, and not every user of this module needs it

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from debias_data.config import HubSource
from debias_data.errors import BadConfigError, MissingInputError
from debias_data.sources.base import Item, Problem, register
from debias_data.sources.checks import check_text


@register("hub")
def read_hub(config: HubSource) -> Iterator[Item]:
    """The problems of one published split.

    Raises:
        MissingInputError: the hub or the data set cannot be reached.
        BadConfigError: the data set has no such split or column.
    """
    return islice(_read(config), config.limit)


def _read(config: HubSource) -> Iterator[Item]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        stream = load_dataset(
            config.repo, split=config.hub_split, revision=config.revision, streaming=True
        )
    except (OSError, DatasetNotFoundError) as error:
        raise MissingInputError(
            f"hub data set {config.repo!r} cannot be reached ({error}); without a network, put "
            "its parquet files into a folder and use `kind: parquet` with that path"
        ) from error
    except ValueError as error:
        raise BadConfigError(f"hub data set {config.repo!r}: {error}") from error
    for number, row in enumerate(stream, start=1):
        place = f"{config.repo}@{config.revision or 'main'}:{number}"
        for column in filter(None, (config.prompt, config.reference)):
            if column not in row:
                raise BadConfigError(f"{place}: no column {column!r}; it has {', '.join(row)}")
        prompt = check_text(row[config.prompt], path=config.repo, row=number, column=config.prompt)
        reference = None
        if config.reference is not None:
            reference = check_text(
                row[config.reference], path=config.repo, row=number, column=config.reference
            )
        yield Problem(
            prompt,
            reference,
            f"hub/{config.repo}",
            config.domain,
            place=place,
            operation=config.operation,
        )
