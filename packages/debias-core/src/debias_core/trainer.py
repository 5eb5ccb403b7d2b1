"""The trainer: sample answers, take one exact step, look at held-out pairs, stop on an interval.

One loop for every objective. What a step minimises is in `debias_core.lagrangian`, how its gradient
is made exact in `debias_core.gradient`, what a look measures in `debias_core.heldout`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from debias_core.checkpoint import Checkpoint, load_newest, save_checkpoint
from debias_core.config import TrainConfig
from debias_core.errors import ConfigError, DataError, InterruptedTraining, NonFiniteError
from debias_core.gradient import LossReport, Terms, accumulate_gradient
from debias_core.heldout import DevEvaluation, EncodedPair, HeldOut
from debias_core.lagrangian import Layout, TrainingObjective
from debias_core.loading import check_finite, save_model
from debias_core.objectives import signed_gap
from debias_core.pairs import PromptPair, Row, batches, read_pairs
from debias_core.progress import EventHandler, RunProgress, StepLog, StopReason
from debias_core.prompts import encode_prompt
from debias_core.sampling import Answer, SamplingConfig, sample
from debias_core.scoring import ScoredRow, score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

_TRAIN_STREAM = 1


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training run did.

    Attributes:
        steps: optimiser steps taken.
        best_step: the step whose weights were kept.
        kept: the look at exactly the weights that were kept.
        stop_reason: `target`, `kl_budget` or `max_steps`.
        reached_target: the interval lay inside +-target_gap `patience` times in a row.
        seconds: of the whole run, looks included.
        seconds_to_target: until the target was reached, or None.
        history: every step.
        evaluations: every look at the held-out pairs, the first before any step.
        model_path: where the kept model was saved, or None.
    """

    steps: int
    best_step: int
    kept: DevEvaluation
    stop_reason: StopReason
    reached_target: bool
    seconds: float
    seconds_to_target: float | None
    history: tuple[StepLog, ...]
    evaluations: tuple[DevEvaluation, ...]
    model_path: Path | None


class DebiasTrainer:
    """Trains a causal LM until the entropy gap of held-out pairs is inside the target.

    The model is changed in place; after `fit` it holds the weights that were kept, which are the
    ones that the last named look measured. Dropout is off throughout: an entropy is a property of
    the model that will be used.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: TrainConfig
    ) -> None:
        """Takes the model to be trained; a frozen copy of it becomes the reference."""
        check_finite(model)
        model.train(mode=False)
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.objective = TrainingObjective(config.objective)
        self.reference = copy.deepcopy(model).requires_grad_(requires_grad=False)
        trainable = [p for p in model.parameters() if p.requires_grad]
        if not trainable:
            raise ConfigError("the model has no trainable parameter")
        self.optimizer = torch.optim.AdamW(
            trainable, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._sampling = SamplingConfig.of_training(config)
        self._began = 0.0

    def fit(
        self,
        train: Iterable[Row],
        dev: Iterable[Row],
        *,
        on_event: EventHandler | None = None,
        out: str | Path | None = None,
        checkpoints: str | Path | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainResult:
        """Trains, and returns what was done; the kept model is saved under `out` if that is given.

        Args:
            train: rows of a pair table to take steps on.
            dev: rows to look at; no cluster of it may be in `train`.
            on_event: called with every `StepLog` and `DevEvaluation` as they come.
            out: folder for the model, in the hub's layout.
            checkpoints: folder for checkpoints, one every `checkpoint_every` steps; a run that
                finds one of its own there continues from it, bit for bit.
            should_stop: asked after every step; when it says yes the state is saved.

        Raises:
            DataError: an empty or one-sided set, or a cluster on both sides.
            NonFiniteError: a loss or gradient is not finite; the weights are those of the step
                before.
            CheckpointError: `checkpoints` holds another run's.
            InterruptedTraining: `should_stop` said so.
        """
        train_pairs = self._encode(read_pairs(train, name="the training data"))
        dev_pairs = self._encode(read_pairs(dev, name="the held-out data"))
        _check_disjoint(train_pairs, dev_pairs)
        heldout = HeldOut(dev_pairs, self.config)
        run = RunProgress(self.config, on_event or (lambda _: None))
        saver = _Saver(self, run, checkpoints, _run_key(self.config, train_pairs, dev_pairs))
        self._began = time.perf_counter()
        start = saver.restore()
        if start == 0:
            run.add_look(self._look(heldout, step=0), self.model)
        else:
            self._began -= run.history[-1].seconds
            logger.info("continuing after step %d from %s", start, checkpoints)
        for step, batch in enumerate(self._batches(train_pairs, start), start=start + 1):
            run.add_step(self._step(batch, step))
            last = step == self.config.max_steps
            if last or step % self.config.eval_every == 0:
                run.add_look(self._look(heldout, step=step), self.model)
            if last or run.stop_reason is not None:
                break
            stopping = should_stop is not None and should_stop()
            if stopping or step % self.config.checkpoint_every == 0:
                saver.save(step)
            if stopping:
                raise InterruptedTraining(
                    f"stopped after step {step}; "
                    + ("the same command continues from there" if checkpoints else "nothing saved")
                )
        return self._finish(run, out)

    def _encode(self, pairs: Sequence[PromptPair]) -> list[EncodedPair]:
        fmt = self.config.prompt
        return [
            EncodedPair(p, tuple(encode_prompt(self.tokenizer, t, fmt) for t in p.prompts))
            for p in pairs
        ]

    def _batches(self, pairs: Sequence[EncodedPair], start: int) -> Iterator[list[EncodedPair]]:
        by_pair = {p.pair: p for p in pairs}
        stream = batches(
            [p.pair for p in pairs],
            pairs_per_batch=self.config.effective_batch_size // 2,
            seed=self.config.seed,
            start=start,
        )
        for batch in stream:
            yield [by_pair[pair] for pair in batch]

    def _look(self, heldout: HeldOut, *, step: int) -> DevEvaluation:
        return heldout.look(
            self.model,
            self.reference,
            seed=self.config.seed,
            step=step,
            clock=lambda: time.perf_counter() - self._began,
        )

    def _step(self, batch: Sequence[EncodedPair], step: int) -> StepLog:
        answers = self._sample(batch, step)
        rows, layout = self._layout(batch, answers)
        report = self._accumulate(rows, layout, answers)
        gap = float(signed_gap(report.terms.entropy[layout.own], layout.groups[layout.own]))
        grad_norm = self._update(step)
        self.objective.observe(gap)
        return StepLog(
            step=step,
            loss=report.loss,
            gap=gap,
            kl=None if report.terms.kl is None else float(report.terms.kl.mean()),
            grad_norm=grad_norm,
            multiplier=self.objective.multiplier,
            tokens=sum(len(answer.tokens) for answer in answers),
            seconds=time.perf_counter() - self._began,
        )

    def _sample(self, batch: Sequence[EncodedPair], step: int) -> list[Answer]:
        """Returns the answers of the batch, pair by pair, group by group, K of each."""
        prompts, seeds = [], []
        for i, pair in enumerate(batch):
            for group, prompt in enumerate(pair.prompts):
                for k in range(self.config.samples_per_prompt):
                    prompts.append(prompt)
                    side = 0 if self.config.couple_samples else group
                    seeds.append([self.config.seed, _TRAIN_STREAM, step, i, k, side])
        return sample(self.model, prompts, self._sampling, seeds=seeds)

    def _layout(
        self, batch: Sequence[EncodedPair], answers: Sequence[Answer]
    ) -> tuple[list[ScoredRow], Layout]:
        """Returns the rows to score; crosswise, every answer under both prompts of its pair."""
        rows, cells = [], []
        per_pair = 2 * self.config.samples_per_prompt
        for a, answer in enumerate(answers):
            i, within = divmod(a, per_pair)
            group = within // self.config.samples_per_prompt
            for g in (0, 1) if self.objective.crossed else (group,):
                rows.append(ScoredRow(batch[i].prompts[g], answer.tokens))
                cells.append((g, i, a, g == group))
        device = next(self.model.parameters()).device
        groups, pairs, ids, own = (
            torch.tensor(column, device=device) for column in zip(*cells, strict=True)
        )
        return rows, Layout(groups, pairs, ids, own)

    def _accumulate(
        self, rows: Sequence[ScoredRow], layout: Layout, answers: Sequence[Answer]
    ) -> LossReport:
        size = self.config.micro_batch_size
        reference = self.reference if self.objective.needs_reference else None
        known = None
        if self.objective.entropy_only:
            entropy = torch.tensor([a.entropy for a in answers], device=layout.groups.device)
            known = Terms(entropy, None if reference is None else torch.zeros_like(entropy))
        self.optimizer.zero_grad(set_to_none=True)
        return accumulate_gradient(
            [rows[i : i + size] for i in range(0, len(rows), size)],
            lambda micro: score(
                self.model,
                micro,
                reference=reference,
                temperature=self.config.entropy_temperature,
            ),
            lambda terms: self.objective.loss(terms, layout),
            known=known,
        )

    def _update(self, step: int) -> float:
        """Takes the optimiser step, and returns the norm of the gradient before clipping."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm))
        if not torch.isfinite(torch.tensor(norm)):
            raise NonFiniteError(
                f"step {step}: the gradient's norm is {norm}; no step was taken and the weights "
                "are those of the step before"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)
        self.optimizer.step()
        return norm

    def _finish(self, run: RunProgress, out: str | Path | None) -> TrainResult:
        kept, weights = run.kept
        self.model.load_state_dict(weights)
        path = None if out is None else save_model(self.model, self.tokenizer, out)
        return TrainResult(
            steps=len(run.history),
            best_step=kept.step,
            kept=kept,
            stop_reason=run.stop_reason or "max_steps",
            reached_target=run.seconds_to_target is not None,
            seconds=time.perf_counter() - self._began,
            seconds_to_target=run.seconds_to_target,
            history=tuple(run.history),
            evaluations=tuple(run.looks),
            model_path=path,
        )


def learning_rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, 1 for the first: a function of the step alone."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps - 1) / max(1, config.max_steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


class _Saver:
    """Saves and restores a run where a folder for checkpoints was given."""

    def __init__(
        self, trainer: DebiasTrainer, run: RunProgress, folder: str | Path | None, key: str
    ) -> None:
        self._trainer, self._run, self._key = trainer, run, key
        self._folder = None if folder is None else Path(folder)

    def save(self, step: int) -> None:
        if self._folder is None:
            return
        trainer = self._trainer
        state = {"run": self._run.to_json(), "multiplier": trainer.objective.multiplier}
        save_checkpoint(
            self._folder,
            Checkpoint(
                step=step,
                key=self._key,
                weights=trainer.model.state_dict(),
                kept=self._run.kept[1],
                optimizer=trainer.optimizer.state_dict(),
                state=state,
            ),
        )

    def restore(self) -> int:
        """Returns the step to continue after; 0 where there is nothing to continue."""
        found = None if self._folder is None else load_newest(self._folder, key=self._key)
        if found is None:
            return 0
        trainer = self._trainer
        trainer.model.load_state_dict(found.weights)
        trainer.optimizer.load_state_dict(found.optimizer)
        trainer.objective.multiplier = found.state["multiplier"]
        self._run.restore(found.state["run"], dict(found.kept))
        return found.step


def _run_key(config: TrainConfig, train: Sequence[EncodedPair], dev: Sequence[EncodedPair]) -> str:
    """Returns a digest of everything that the course of a run depends on, but the weights."""
    pairs = [[p.pair.pair_id, p.pair.cluster_id, p.prompts] for p in (*train, *dev)]
    text = json.dumps([asdict(config), config.objective.kind, pairs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_disjoint(train: Sequence[EncodedPair], dev: Sequence[EncodedPair]) -> None:
    shared = {p.pair.cluster_id for p in train} & {p.pair.cluster_id for p in dev}
    if shared:
        raise DataError(
            f"{len(shared)} clusters are in the training and in the held-out data, "
            f"{min(shared)!r} for one; split by cluster_id, never by row"
        )
