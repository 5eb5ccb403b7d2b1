"""One step's gradient: answers to the batch, the rows to score, the exact gradient of the loss."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from debias_core.config import TrainConfig
from debias_core.losses.gradient import LossReport, accumulate_gradient
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.losses.terms import Layout, Terms
from debias_core.objectives import group_gaps
from debias_core.pairs.encoding import EncodedPair
from debias_core.sampling.base import Answer, Sampler
from debias_core.sampling.outcomes import Outcomes, count_outcomes
from debias_core.scoring.answers import ScoredRow, Wanted
from debias_core.scoring.reference import Reference
from debias_core.training.distributed import first_of_share, gather, share_of
from debias_core.training.engine import Engine

_TRAIN_STREAM = 1


@dataclass(frozen=True, slots=True)
class StepGradient:
    """What was accumulated in `.grad`.

    Attributes:
        report: loss and terms of the effective batch.
        gaps: of every group to the mean of the group means, on this batch, nats.
        tokens: answer tokens that were sampled.
        outcomes: of the answers that were sampled.
    """

    report: LossReport
    gaps: tuple[float, ...]
    tokens: int
    outcomes: Outcomes

    @property
    def gap(self) -> float:
        """The signed gap of two groups; with more, the largest gap to their mean, with its sign."""
        if len(self.gaps) == 2:
            return self.gaps[0] - self.gaps[1]
        return max(self.gaps, key=abs)


class GradientMaker:
    """Makes the gradient of a training objective on a batch of pairs."""

    def __init__(
        self,
        engine: Engine,
        reference: Reference,
        sampler: Sampler,
        objective: TrainingObjective,
        config: TrainConfig,
    ) -> None:
        self._engine, self._reference, self._sampler = engine, reference, sampler
        self._objective, self._config = objective, config

    def accumulate(self, batch: Sequence[EncodedPair], step: int) -> StepGradient:
        """Adds the gradient of the whole effective batch to `.grad`.

        Args:
            batch: the pairs of the step, of all processes; this one answers and scores its share.
            step: 1 for the first.
        """
        first, mine = first_of_share(batch), share_of(batch)
        answers = self._answers(mine, step, first=first)
        order = self._by_length(mine, answers)
        rows, layout = self._layout(mine, answers, order, first=first)
        report = self._accumulate(rows, layout, [answers[a] for a in order])
        own = layout.own
        gaps = group_gaps(
            report.terms.entropy[own], layout.groups[own], declared=self._config.groups
        )
        if self._objective.on_references:
            return StepGradient(report, tuple(gaps.tolist()), 0, Outcomes())
        here = count_outcomes(answers)
        counts = torch.tensor([[here.answers, here.truncated, here.empty]], device=own.device)
        outcomes = Outcomes(*(int(count) for count in gather(counts).sum(0)))
        return StepGradient(report, tuple(gaps.tolist()), int(layout.lengths[own].sum()), outcomes)

    def _answers(self, batch: Sequence[EncodedPair], step: int, *, first: int) -> list[Answer]:
        """Returns the answers of the batch, pair by pair, group by group, K of each."""
        if self._objective.on_references:
            return [
                Answer(tuple(ids), None, truncated=False) for p in batch for ids in p.references
            ]
        prompts, seeds = [], []
        for i, pair in enumerate(batch, start=first):
            for group, prompt in enumerate(pair.prompts):
                for k in range(self._config.samples_per_prompt):
                    prompts.append(prompt)
                    side = 0 if self._config.couple_samples else group
                    seeds.append([self._config.seed, _TRAIN_STREAM, step, i, k, side])
        return self._engine.sample(self._sampler, prompts, seeds=seeds)

    def _by_length(self, batch: Sequence[EncodedPair], answers: Sequence[Answer]) -> list[int]:
        """Returns the answers in order of their length with the prompt.

        Micro-batches of like lengths hold little padding; the gradient does not depend on which
        rows they hold.
        """

        def length(a: int) -> int:
            i, group = self._place(a)
            return len(batch[i].prompts[group]) + len(answers[a].tokens)

        return sorted(range(len(answers)), key=length)

    def _place(self, a: int) -> tuple[int, int]:
        """Returns the pair and the group of an answer, by its number on this process."""
        i, within = divmod(a, len(self._config.groups) * self._samples)
        return i, within // self._samples

    @property
    def _samples(self) -> int:
        return 1 if self._objective.on_references else self._config.samples_per_prompt

    def _layout(
        self,
        batch: Sequence[EncodedPair],
        answers: Sequence[Answer],
        order: Sequence[int],
        *,
        first: int,
    ) -> tuple[list[ScoredRow], Layout]:
        """Returns the rows to score here, and what the rows of all processes are.

        Crosswise, every answer is scored under every prompt of its pair.
        """
        rows, cells = [], []
        num_groups = len(self._config.groups)
        before = first * num_groups * self._samples  # answers of the processes before this one
        for a in order:
            answer, (i, group) = answers[a], self._place(a)
            told = self._told(batch[i])
            for g in range(num_groups) if self._objective.crossed else (group,):
                rows.append(ScoredRow(batch[i].prompts[g], answer.tokens))
                cells.append((told[g], first + i, before + a, g == group, len(answer.tokens)))
        device = next(self._engine.model.parameters()).device
        groups, pairs, indices, own, lengths = gather(torch.tensor(cells, device=device)).unbind(1)
        return rows, Layout(groups, pairs, indices, own.bool(), lengths)

    def _told(self, pair: EncodedPair) -> Sequence[int]:
        """Returns what group the objective is told each side is of."""
        groups = range(len(self._config.groups))
        if not self._objective.shuffled:
            return groups
        digest = hashlib.sha256(f"{self._config.seed}:{pair.pair.pair_id}".encode()).digest()
        shuffled = np.random.default_rng(list(digest)).permutation(len(groups))
        return [int(group) for group in shuffled]

    def _accumulate(
        self,
        rows: Sequence[ScoredRow],
        layout: Layout,
        answers: Sequence[Answer],
    ) -> LossReport:
        objective, size = self._objective, self._config.micro_batch_size
        wanted = Wanted(
            logprob=objective.needs_logprob,
            divergence=objective.needs_divergence,
            num_sides=len(self._config.groups),
        )
        return accumulate_gradient(
            [rows[i : i + size] for i in range(0, len(rows), size)],
            lambda micro: self._engine.score(
                micro,
                reference=self._reference if objective.needs_reference else None,
                temperature=self._config.entropy_temperature,
                wanted=wanted,
            ),
            lambda terms: objective.loss(terms, layout),
            known=self._known(answers, len(rows)),
            no_sync=self._engine.parallel.no_sync,
        )

    def _known(self, answers: Sequence[Answer], num_rows: int) -> Terms | None:
        """Returns terms that give the right coefficients without a first pass, if there are any.

        The loss is linear in all terms but the entropies, so that zeros do for those; sampling
        computed the entropies at the very weights, and losses that are linear in them need none.
        """
        objective = self._objective
        entropies = [answer.entropy for answer in answers]
        if objective.needs_first_pass:
            return None
        device = next(self._engine.model.parameters()).device
        zeros = torch.zeros(num_rows, device=device)
        if objective.linear:
            entropy = zeros
        elif any(h is None for h in entropies):
            return None
        else:
            entropy = torch.tensor(entropies, device=device)
        return Terms(
            entropy,
            kl=zeros if objective.needs_reference else None,
            reference_entropy=zeros if objective.needs_reference else None,
            logprob=zeros if objective.needs_logprob else None,
            divergence=zeros if objective.needs_divergence else None,
        )
