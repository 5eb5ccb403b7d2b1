"""The trainer: sample answers, take one exact step, look at held-out pairs, stop on an interval.

One loop for every objective. What a step minimises is in `losses.lagrangian`, how its gradient is
made exact in `losses.gradient`, what a look measures in `training.heldout`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from debias_core.config import TrainConfig
from debias_core.errors import DataError, InterruptedTraining, NonFiniteError
from debias_core.losses.gradient import LossReport
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.models.loading import check_finite, save_model
from debias_core.models.run_card import DataSizes, card_writer
from debias_core.pairs.encoding import EncodedPair, encode_pairs
from debias_core.pairs.reading import Row, batches, read_pairs
from debias_core.recovery.faults import FaultGuard, dump_folder
from debias_core.recovery.resuming import RunState, Saver, run_key
from debias_core.recovery.weights import whole_tensor
from debias_core.sampling.base import Sampler, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.sampling.outcomes import Outcomes, context_length, leave_out_too_long
from debias_core.scoring.reference import Reference
from debias_core.training.distributed import any_process, is_main, wait
from debias_core.training.engine import Engine
from debias_core.training.grading import Grader, Grading
from debias_core.training.heldout import DevEvaluation, HeldOut
from debias_core.training.progress import EventHandler, RunProgress, StepLog, StopReason
from debias_core.training.steps import GradientMaker
from debias_core.training.trackers import tracking

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
        outcomes: of the answers that were drawn in steps, and the pairs that were left out.
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
    outcomes: Outcomes = field(default_factory=Outcomes)


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
        grader: Grader | None = None,
    ) -> None:
        """Takes the model to be trained; as it is now, it is the reference.

        Args:
            model: a causal LM; changed in place.
            tokenizer: its tokenizer.
            config: of the run.
            sampler: what draws answers; the model itself where it is None.
            grader: says which answers to held-out pairs are right, for the `accuracy` of a look.
        """
        check_finite(model)
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.engine = Engine(model, config)
        self.reference, self.optimizer = self.engine.reference, self.engine.optimizer
        self.objective = TrainingObjective(
            config.objective, groups=config.groups, score_function=config.score_function
        )
        self.sampler = sampler or ModelSampler(
            model, SamplingConfig.of_training(config), batch_size=config.generation_batch_size
        )
        self._gradient = GradientMaker(
            self.engine, self.reference, self.sampler, self.objective, config
        )
        self._grading = None if grader is None else Grading(tokenizer, grader)
        self._guard = FaultGuard(model, config)
        self._began, self._train_pairs, self._too_long = 0.0, 0, 0

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
            should_stop: asked after every step; when it says yes the state is saved. See
                `debias_core.recovery.interruption.stop_on_signals`.

        Raises:
            DataError: an empty or one-sided set, a cluster on both sides, or no pair that fits into
                the model's context.
            NonFiniteError: a loss or gradient is not finite; the weights are those of the step
                before, and a crash dump lies among the checkpoints or beside `out`.
            NotEnoughMemoryError: an allocation failed; names the smaller setting.
            CheckpointError: `checkpoints` holds another run's.
            MissingPackageError: a tracker that is not installed.
            InterruptedTraining: `should_stop` said so.
        """
        self.engine.check_unmerged()
        self._guard = FaultGuard(
            self.model, self.config, dumps=dump_folder(checkpoints, out) if is_main() else None
        )
        self._too_long = 0
        train_pairs = self._encode(
            train, name="the training data", references=self.objective.on_references
        )
        self._train_pairs = len(train_pairs)
        dev_pairs = self._encode(dev, name="the held-out data")
        _check_disjoint(train_pairs, dev_pairs)
        heldout = HeldOut(dev_pairs, self.config, grading=self._grading)
        folder = Path() if out is None else Path(out).parent
        with tracking(self.config, folder / "trackers") as track:
            run = RunProgress(self.config, _report_to(track, on_event))
            saver = Saver(
                RunState(self.engine.weights, self.optimizer, self.objective, run),
                checkpoints,
                key=run_key(self.config, train_pairs, dev_pairs),
            )
            self._loop(run, heldout, saver, train_pairs, should_stop)
            return self._finish(run, heldout, out)

    def _loop(
        self,
        run: RunProgress,
        heldout: HeldOut,
        saver: Saver,
        pairs: Sequence[EncodedPair],
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Takes steps and looks until one of them says stop."""
        self._began = time.perf_counter()
        start = saver.restore()
        if start == 0:
            run.add_look(self._look(heldout, step=0), self.engine.weights)
        else:
            self.sampler.weights_changed()
            self._began -= run.history[-1].seconds
            logger.info("continuing after step %d from %s", start, saver.folder)
        for step, batch in enumerate(self._batches(pairs, start), start=start + 1):
            run.add_step(self._step(batch, step))
            last = step == self.config.max_steps
            if last or step % self.config.eval_every == 0:
                run.add_look(self._look(heldout, step=step), self.engine.weights)
            if last or run.stop_reason is not None:
                break
            # one process is asked to stop, and all do
            stopping = any_process(should_stop is not None and should_stop())
            if stopping or step % self.config.checkpoint_every == 0:
                with self._guard.saving(step, saver.folder):
                    saver.save(step)
            if stopping:
                how = _how_to_go_on(saver.folder)
                raise InterruptedTraining(f"stopped after step {step}; {how}")

    def _encode(
        self, rows: Iterable[Row], *, name: str, references: bool = False
    ) -> list[EncodedPair]:
        pairs = encode_pairs(
            self.tokenizer,
            read_pairs(rows, name=name, groups=self.config.groups),
            self.config.prompt,
            references=references,
        )
        fitting = leave_out_too_long(
            pairs,
            limit=context_length(self.model),
            max_new_tokens=self.config.max_new_tokens,
            name=name,
        )
        self._too_long += len(pairs) - len(fitting)
        return fitting

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

    def _look(
        self, heldout: HeldOut, *, step: int, reference: Reference | None = None
    ) -> DevEvaluation:
        with self._guard.look(step):
            look = heldout.look(
                self.engine,
                reference or self.reference,
                self.sampler,
                step=step,
                clock=lambda: time.perf_counter() - self._began,
            )
        return self._guard.check_look(look)

    def _step(self, batch: Sequence[EncodedPair], step: int) -> StepLog:
        self.optimizer.zero_grad(set_to_none=True)
        with self._guard.step(step, batch):
            gradient = self._gradient.accumulate(batch, step)
            grad_norm = self._update(step, gradient.report)
        self.sampler.weights_changed()
        self.objective.observe(gradient.gaps)
        report = gradient.report
        return StepLog(
            step=step,
            loss=report.loss,
            gap=gradient.gap,
            kl=None if report.terms.kl is None else float(report.terms.kl.mean()),
            grad_norm=grad_norm,
            multiplier=self.objective.multiplier,
            tokens=gradient.tokens,
            seconds=time.perf_counter() - self._began,
            answers=gradient.outcomes.answers,
            truncated=gradient.outcomes.truncated,
            empty=gradient.outcomes.empty,
        )

    def _update(self, step: int, report: LossReport) -> float:
        """Takes the optimiser step, and returns the norm of the gradient before clipping."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = float(whole_tensor(total))
        if not (math.isfinite(norm) and math.isfinite(report.loss)):
            what = f"the gradient's norm is {norm}, the loss {report.loss}"
            raise NonFiniteError(what, loss=report.loss, ranges=report.terms.ranges())
        torch.nn.utils.clip_grads_with_norm_(parameters, self.config.max_grad_norm, total)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)
        self.optimizer.step()
        return norm

    def _finish(self, run: RunProgress, heldout: HeldOut, out: str | Path | None) -> TrainResult:
        kept, weights = run.kept
        self.engine.weights.restore(weights)
        self.sampler.weights_changed()
        parts = []
        if self.engine.adapter is not None:
            parts.append(self.engine.adapter.saving(self.engine.weights.whole()))
            # merging rounds: what is saved is looked at itself
            before = self.engine.adapter.merge()
            kept = self._look(heldout, step=kept.step, reference=before)
        sizes = DataSizes(self._train_pairs, self._too_long)
        parts.append(card_writer(self.model, self.config, run, kept, sizes))
        path = None if out is None else self._save(Path(out), parts)
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
            outcomes=run.outcomes(too_long=self._too_long),
        )

    def _save(self, out: Path, parts: Sequence[Callable[[Path], None]]) -> Path:
        """Saves the model; every process returns when it is there."""
        state = self.engine.whole_state()
        if is_main():
            save_model(self.model, self.tokenizer, out, parts=parts, state=state)
        wait()
        return out


def learning_rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, 1 for the first: a function of the step alone."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps - 1) / max(1, config.max_steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def _report_to(track: EventHandler, on_event: EventHandler | None) -> EventHandler:
    def report(event: StepLog | DevEvaluation) -> None:
        track(event)
        if on_event is not None and is_main():
            on_event(event)

    return report


def _how_to_go_on(checkpoints: str | Path | None) -> str:
    if checkpoints is None:
        return "nothing saved, because no folder for checkpoints was given"
    return f"the same command continues from there; its state is in {checkpoints}"


def _check_disjoint(train: Sequence[EncodedPair], dev: Sequence[EncodedPair]) -> None:
    shared = {p.pair.cluster_id for p in train} & {p.pair.cluster_id for p in dev}
    if shared:
        raise DataError(
            f"{len(shared)} clusters are in the training and in the held-out data, "
            f"{min(shared)!r} for one; split by cluster_id, never by row"
        )
