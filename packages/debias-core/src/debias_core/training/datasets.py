"""The pairs of a run: those it takes steps on, batch by batch, and those it looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debias_core.config import TrainConfig
from debias_core.errors import DataError
from debias_core.pairs.encoding import EncodedPair, encode_pairs
from debias_core.pairs.reading import Row, batches, read_pairs
from debias_core.sampling.outcomes import context_length, leave_out_too_long

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs that fit into the model's context, and how many did not."""

    pairs: list[EncodedPair]
    too_long: int


@dataclass(frozen=True, slots=True)
class RunPairs:
    """The two sets of a run; they share no cluster."""

    train: PairSet
    dev: PairSet

    @property
    def too_long(self) -> int:
        """How many pairs of both sets were left out, because they do not fit."""
        return self.train.too_long + self.dev.too_long


class PairReader:
    """Reads rows of pair tables for one model, as a run's config says."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: TrainConfig
    ) -> None:
        self._model, self._tokenizer, self._config = model, tokenizer, config

    def read_both(self, train: Iterable[Row], dev: Iterable[Row], *, references: bool) -> RunPairs:
        """Returns the pairs of a run.

        Args:
            train: rows to take steps on.
            dev: rows to look at.
            references: whether the training rows' own answers are needed.

        Raises:
            DataError: an empty or one-sided set, a cluster on both sides, or no pair that fits.
        """
        found = RunPairs(
            self.read(train, name="the training data", references=references),
            self.read(dev, name="the held-out data"),
        )
        _check_disjoint(found)
        return found

    def read(self, rows: Iterable[Row], *, name: str, references: bool = False) -> PairSet:
        """Returns the pairs of one set; `name` is how messages call it.

        Raises:
            DataError: an empty or one-sided set, or no pair that fits.
        """
        pairs = encode_pairs(
            self._tokenizer,
            read_pairs(rows, name=name, groups=self._config.groups),
            self._config.prompt,
            references=references,
        )
        fitting = leave_out_too_long(
            pairs,
            limit=context_length(self._model),
            max_new_tokens=self._config.max_new_tokens,
            name=name,
        )
        return PairSet(fitting, len(pairs) - len(fitting))


def step_batches(
    pairs: Sequence[EncodedPair], config: TrainConfig, *, start: int
) -> Iterator[list[EncodedPair]]:
    """Yields the pairs of one step after the other without end, from the step after `start`."""
    by_pair = {p.pair: p for p in pairs}
    stream = batches(
        [p.pair for p in pairs],
        pairs_per_batch=config.effective_batch_size // len(config.groups),
        seed=config.seed,
        start=start,
    )
    for batch in stream:
        yield [by_pair[pair] for pair in batch]


def _check_disjoint(found: RunPairs) -> None:
    train, dev = ({p.pair.cluster_id for p in part.pairs} for part in (found.train, found.dev))
    shared = train & dev
    if shared:
        raise DataError(
            f"{len(shared)} clusters are in the training and in the held-out data, "
            f"{min(shared)!r} for one; split by cluster_id, never by row"
        )
