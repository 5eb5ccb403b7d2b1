"""The held-out gap: fresh answers to pairs that no step was taken on, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from torch import Tensor

from debias_core.config import TrainConfig
from debias_core.losses.terms import Terms
from debias_core.pairs.encoding import EncodedPair
from debias_core.sampling.base import Answer, Sampler
from debias_core.scoring.answers import ScoredRow
from debias_core.scoring.reference import Reference
from debias_core.training.distributed import gather_dealt, rank, world_size
from debias_core.training.engine import Engine, How
from debias_core.training.grading import Grading, mean_of_graded
from debias_core.training.looks import Draw, Floats, draws_of_a_look, look_until_settled
from debias_core.training.statistics import GapEstimate

_DEV_STREAM = 2  # keeps the random numbers of looks apart from those of training
_KL_PAIRS = 64  # KL is exact over the vocabulary, so the answers of this many pairs tell it well


@dataclass(frozen=True, slots=True)
class DevEvaluation:
    """One look at the held-out pairs.

    Attributes:
        step: optimiser steps taken before it.
        gap: with its 95% interval, nats: first group minus second. With more than two groups, the
            gap of one group to the mean of the group means: the one whose interval reaches
            farthest from 0.
        entropies: mean entropy of every declared group, nats.
        kl: mean KL to the reference per answer token, nats, on 64 pairs at most.
        truncated: share of answers that met the length limit.
        seconds: since training began.
        empty: share of answers of nothing but the end-of-sequence token.
        accuracy: share of the graded answers that are right; None where none was graded.
    """

    step: int
    gap: GapEstimate
    entropies: tuple[float, ...]
    kl: float
    truncated: float
    seconds: float
    empty: float = 0.0
    accuracy: float | None = None


class HeldOut:
    """A dev set that can be looked at again and again, with fresh samples every time.

    Where stopping hangs on it, answers are drawn until the look is settled (`training.looks`).
    """

    def __init__(
        self, pairs: Sequence[EncodedPair], config: TrainConfig, *, grading: Grading | None = None
    ) -> None:
        self._config, self._grading = config, grading
        self._pairs, self._cluster_sizes = clusters_shuffled(pairs, seed=config.seed)

    def look(
        self,
        engine: Engine,
        reference: Reference,
        sampler: Sampler,
        *,
        step: int,
        clock: Callable[[], float],
        confirming: bool = False,
    ) -> DevEvaluation:
        """Returns the gap of the model as it is, on answers drawn for this look alone.

        Args:
            engine: the model, as it computes.
            reference: that KL is measured against.
            sampler: draws the answers.
            step: steps taken before it.
            clock: seconds since training began.
            confirming: the look before was inside the target, and stopping hangs on this one.
        """
        measured, gap = look_until_settled(
            draws_of_a_look(self._cluster_sizes, self._config, confirming=confirming),
            lambda draw: self._measure(draw, engine, reference, sampler, step),
            clusters=[p.pair.cluster_id for p in self._pairs],
            target=self._config.target_gap,
        )
        return DevEvaluation(
            step=step,
            gap=gap,
            entropies=tuple(float(h) for h in measured[..., 0].mean((0, 2))),
            kl=float(measured[:_KL_PAIRS, :, 0, 1].mean()),
            truncated=float(measured[..., 2].mean()),
            seconds=clock(),
            empty=float(measured[..., 3].mean()),
            accuracy=mean_of_graded(measured[..., 4]),
        )

    def _measure(
        self, draw: Draw, engine: Engine, reference: Reference, sampler: Sampler, step: int
    ) -> Floats:
        """Returns entropy, KL, truncated, empty and right of answers: [pairs, groups, K, 5]."""
        mine = draw.pairs[rank() :: world_size()]
        shape = (len(mine), len(self._config.groups), len(draw.samples))
        keys = [(mine[j], g, draw.samples[k]) for j, g, k in np.ndindex(shape)]
        prompts = [self._pairs[i].prompts[g] for i, g, _ in keys]
        answers = engine.sample(sampler, prompts, seeds=[self._seed(step, *key) for key in keys])
        rows = [
            ScoredRow(prompt, answer.tokens)
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        near = [i for i, (pair, _, k) in enumerate(keys) if pair < _KL_PAIRS and k == 0]
        kl = np.zeros(len(rows))
        kl[near] = self._kl(engine, reference, [rows[i] for i in near])
        columns = (
            self._entropies(engine, rows, answers),
            kl,
            np.array([answer.truncated for answer in answers], dtype=np.float64),
            np.array([answer.outcome == "empty" for answer in answers], dtype=np.float64),
            self._grades(keys, answers),
        )
        return gather_dealt(np.stack(columns, axis=-1).reshape(*shape, len(columns)))

    def _grades(self, keys: Sequence[tuple[int, int, int]], answers: Sequence[Answer]) -> Floats:
        """Returns whether each answer is right, nan where nothing says so."""
        if self._grading is None:
            return np.full(len(answers), np.nan)
        groups = self._config.groups
        prompts = [(self._pairs[i].pair.pair_id, groups[g]) for i, g, _ in keys]
        return self._grading(prompts, answers)

    def _seed(self, step: int, pair: int, group: int, k: int) -> list[int]:
        """Returns what the random numbers of an answer depend on."""
        stream = (pair, k) if self._config.couple_samples else (pair, k, group)
        return [self._config.seed, _DEV_STREAM, step, *stream]

    def _entropies(
        self, engine: Engine, rows: Sequence[ScoredRow], answers: Sequence[Answer]
    ) -> Floats:
        """Returns the entropy of every answer, scoring those that the sampler did not see."""
        found = np.array([answer.entropy for answer in answers], dtype=np.float64)
        missing = np.flatnonzero(np.isnan(found)).tolist()
        found[missing] = self._scored(
            engine,
            [rows[i] for i in missing],
            lambda terms: terms.entropy,
            temperature=self._config.entropy_temperature,
        )
        return found

    def _kl(self, engine: Engine, reference: Reference, rows: Sequence[ScoredRow]) -> Floats:
        return self._scored(engine, rows, lambda terms: terms.kl, reference=reference)

    def _scored(
        self,
        engine: Engine,
        rows: Sequence[ScoredRow],
        term: Callable[[Terms], Tensor | None],
        **how: Unpack[How],
    ) -> Floats:
        """Returns a term of every row; rows of like lengths are scored together."""
        order = sorted(range(len(rows)), key=lambda i: rows[i].length)
        size = self._config.micro_batch_size
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        scored = engine.score_all([[rows[i] for i in part] for part in parts], **how)
        found = np.zeros(len(rows))
        for part, terms in zip(parts, scored, strict=True):
            values = term(terms)
            assert values is not None
            found[part] = values.tolist()
        return found


def clusters_shuffled(
    pairs: Sequence[EncodedPair], *, seed: int
) -> tuple[list[EncodedPair], list[int]]:
    """Returns the pairs cluster by cluster in a random order that the seed gives, and their sizes.

    What a look begins with is then a random sample of clusters, however the table was sorted.
    """
    of_cluster: dict[str, list[EncodedPair]] = {}
    for pair in pairs:
        of_cluster.setdefault(pair.pair.cluster_id, []).append(pair)
    names = list(of_cluster)
    order = np.random.default_rng([seed, _DEV_STREAM]).permutation(len(names))
    clusters = [of_cluster[names[i]] for i in order]
    return [pair for cluster in clusters for pair in cluster], [*map(len, clusters)]
