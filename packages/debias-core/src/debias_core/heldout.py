"""The held-out gap: fresh answers to pairs that no step was taken on, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from debias_core.config import TrainConfig
from debias_core.pairs import PromptPair
from debias_core.sampling import SamplingConfig, sample
from debias_core.scoring import ScoredRow, score
from debias_core.statistics import GapEstimate, estimate_gap

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DEV_STREAM = 2  # keeps the random numbers of looks apart from those of training
_KL_PAIRS = 64  # KL is exact over the vocabulary, so the answers of this many pairs tell it well


@dataclass(frozen=True, slots=True)
class DevEvaluation:
    """One look at the held-out pairs.

    Attributes:
        step: optimiser steps taken before it.
        gap: with its 95% interval, nats.
        female: mean entropy of the group, nats.
        male: likewise.
        kl: mean KL to the reference per answer token, nats, on the first pairs of the set.
        truncated: share of answers that met the length limit.
        seconds: since training began.
    """

    step: int
    gap: GapEstimate
    female: float
    male: float
    kl: float
    truncated: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A pair with the token ids of its prompts, one a declared group."""

    pair: PromptPair
    prompts: tuple[list[int], ...]


class HeldOut:
    """A dev set that can be looked at again and again, with fresh samples every time."""

    def __init__(self, pairs: Sequence[EncodedPair], config: TrainConfig) -> None:
        self._pairs = pairs
        self._sampling = SamplingConfig.of_training(config)
        self._samples, self._batch_size = config.dev_samples, config.generation_batch_size
        self._coupled = config.couple_samples

    def look(
        self,
        model: PreTrainedModel,
        reference: torch.nn.Module,
        *,
        seed: int,
        step: int,
        clock: Callable[[], float],
    ) -> DevEvaluation:
        """Returns the gap of the model as it is, on answers drawn for this look alone."""
        entropies, kl, truncated = self._draw(model, reference, seed=seed, step=step)
        sides = entropies.mean(-1)
        clusters = [p.pair.cluster_id for p in self._pairs]
        return DevEvaluation(
            step=step,
            gap=estimate_gap(list(sides[:, 0] - sides[:, 1]), clusters),
            female=float(sides[:, 0].mean()),
            male=float(sides[:, 1].mean()),
            kl=kl,
            truncated=truncated,
            seconds=clock(),
        )

    def _draw(
        self, model: PreTrainedModel, reference: torch.nn.Module, *, seed: int, step: int
    ) -> tuple[np.ndarray, float, float]:
        """Returns entropies [pairs, 2, K], mean KL and the truncated share."""
        pairs, k = len(self._pairs), self._samples
        keys = list(np.ndindex(pairs, 2, k))
        prompts = [self._pairs[i].prompts[g] for i, g, _ in keys]
        entropy, truncated = np.empty(len(keys)), np.empty(len(keys))
        kl: list[float] = []
        for chunk in self._chunks(prompts):
            drawn = sample(
                model,
                [prompts[j] for j in chunk],
                self._sampling,
                seeds=[[seed, _DEV_STREAM, step, *self._stream(*keys[j])] for j in chunk],
            )
            kl.extend(
                _kl(
                    model,
                    reference,
                    [
                        ScoredRow(prompts[j], answer.tokens)
                        for j, answer in zip(chunk, drawn, strict=True)
                        if keys[j][0] < _KL_PAIRS and keys[j][2] == 0
                    ],
                )
            )
            entropy[chunk] = [answer.entropy for answer in drawn]
            truncated[chunk] = [answer.truncated for answer in drawn]
        return entropy.reshape(pairs, 2, k), float(np.mean(kl)), float(truncated.mean())

    def _stream(self, pair: int, group: int, k: int) -> tuple[int, ...]:
        """Returns what the random numbers of an answer depend on."""
        return (pair, k) if self._coupled else (pair, k, group)

    def _chunks(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yields row numbers in batches of similar prompt length: less padding."""
        order = sorted(range(len(prompts)), key=lambda j: len(prompts[j]))
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size]


def _kl(
    model: PreTrainedModel, reference: torch.nn.Module, rows: Sequence[ScoredRow]
) -> list[float]:
    if not rows:
        return []
    with torch.no_grad():
        terms = score(model, rows, reference=reference)
    assert terms.kl is not None
    return [float(value) for value in terms.kl]
