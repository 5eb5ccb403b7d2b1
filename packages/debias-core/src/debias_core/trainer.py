"""The trainer: sample answers, take one exact step, look at held-out pairs, stop on an interval.

One loop for every objective. What a step minimises is in `debias_core.lagrangian`, how its gradient
is made exact in `debias_core.gradient`, what a look measures in `debias_core.heldout`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from debias_core.config import TrainConfig
from debias_core.encoding import EncodedPair, encode_pairs
from debias_core.errors import ConfigError, DataError, InterruptedTraining, NonFiniteError
from debias_core.heldout import DevEvaluation, HeldOut
from debias_core.lagrangian import TrainingObjective
from debias_core.loading import check_finite, save_model
from debias_core.pairs import Row, batches, read_pairs
from debias_core.progress import EventHandler, RunProgress, StepLog, StopReason
from debias_core.reference import FrozenModel, Reference
from debias_core.resuming import RunState, Saver, run_key
from debias_core.sampling import ModelSampler, Sampler, SamplingConfig
from debias_core.steps import GradientMaker

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


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
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: TrainConfig,
        *,
        sampler: Sampler | None = None,
    ) -> None:
        """Takes the model to be trained; a frozen copy of it becomes the reference.

        Args:
            model: a causal LM; changed in place.
            tokenizer: its tokenizer.
            config: of the run.
            sampler: what draws answers; the model itself where it is None.
        """
        check_finite(model)
        model.train(mode=False)
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.reference: Reference = FrozenModel.copy_of(model)
        trainable = [p for p in model.parameters() if p.requires_grad]
        if not trainable:
            raise ConfigError("the model has no trainable parameter")
        self.optimizer = torch.optim.AdamW(
            trainable, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.objective = TrainingObjective(
            config.objective, groups=config.groups, score_function=config.score_function
        )
        self.sampler = sampler or ModelSampler(
            model, SamplingConfig.of_training(config), batch_size=config.generation_batch_size
        )
        self._gradient = GradientMaker(model, self.reference, self.sampler, self.objective, config)
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
        train_pairs = self._encode(train, name="the training data")
        dev_pairs = self._encode(dev, name="the held-out data")
        _check_disjoint(train_pairs, dev_pairs)
        heldout = HeldOut(dev_pairs, self.config)
        run = RunProgress(self.config, on_event or (lambda _: None))
        saver = Saver(
            RunState(self.model, self.optimizer, self.objective, run),
            checkpoints,
            key=run_key(self.config, train_pairs, dev_pairs),
        )
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

    def _encode(self, rows: Iterable[Row], *, name: str) -> list[EncodedPair]:
        return encode_pairs(
            self.tokenizer,
            read_pairs(rows, name=name, groups=self.config.groups),
            self.config.prompt,
            references=self.objective.on_references,
        )

    def _batches(self, pairs: Sequence[EncodedPair], start: int) -> Iterator[list[EncodedPair]]:
        by_pair = {p.pair: p for p in pairs}
        stream = batches(
            [p.pair for p in pairs],
            pairs_per_batch=self.config.effective_batch_size // len(self.config.groups),
            seed=self.config.seed,
            start=start,
        )
        for batch in stream:
            yield [by_pair[pair] for pair in batch]

    def _look(self, heldout: HeldOut, *, step: int) -> DevEvaluation:
        return heldout.look(
            self.model,
            self.reference,
            self.sampler,
            step=step,
            clock=lambda: time.perf_counter() - self._began,
        )

    def _step(self, batch: Sequence[EncodedPair], step: int) -> StepLog:
        self.optimizer.zero_grad(set_to_none=True)
        gradient = self._gradient.accumulate(batch, step)
        grad_norm = self._update(step)
        self.sampler.weights_changed()
        self.objective.observe(gradient.gaps)
        report = gradient.report
        return StepLog(
            step=step,
            loss=report.loss,
            gap=gradient.gap,
            kl=None if report.terms.kl is None else float(report.terms.kl.mean()),
            grad_norm=grad_norm,
            multiplier=max(self.objective.multipliers, key=abs),
            tokens=gradient.tokens,
            seconds=time.perf_counter() - self._began,
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


def _check_disjoint(train: Sequence[EncodedPair], dev: Sequence[EncodedPair]) -> None:
    shared = {p.pair.cluster_id for p in train} & {p.pair.cluster_id for p in dev}
    if shared:
        raise DataError(
            f"{len(shared)} clusters are in the training and in the held-out data, "
            f"{min(shared)!r} for one; split by cluster_id, never by row"
        )
