"""The trainer: sample answers, take one exact step, look at held-out pairs, stop on an interval.

One loop for every objective. What a step minimises is in `losses.lagrangian`, how its gradient is
made exact in `losses.gradient`, what a look measures in `training.heldout`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from debias_core.config import TrainConfig
from debias_core.errors import InterruptedTraining
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.models.loading import check_finite, save_model
from debias_core.models.run_card import DataSizes, card_writer
from debias_core.pairs.encoding import EncodedPair
from debias_core.pairs.reading import Row
from debias_core.recovery.faults import FaultGuard, dump_folder
from debias_core.recovery.resuming import RunState, Saver, run_key
from debias_core.sampling.base import Sampler, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.scoring.reference import Reference
from debias_core.training.datasets import PairReader, RunPairs, step_batches
from debias_core.training.distributed import any_process, is_main, wait
from debias_core.training.engine import Engine
from debias_core.training.grading import Grader, Grading
from debias_core.training.heldout import DevEvaluation, HeldOut
from debias_core.training.progress import EventHandler, RunProgress, StepLog, TrainResult
from debias_core.training.steps import GradientMaker
from debias_core.training.trackers import tracking
from debias_core.training.update import apply_gradient

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


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
        self._reader = PairReader(model, tokenizer, config)
        self._guard = FaultGuard(model, config)
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
        found = self._reader.read_both(train, dev, references=self.objective.on_references)
        heldout = HeldOut(found.dev.pairs, self.config, grading=self._grading)
        folder = Path() if out is None else Path(out).parent
        with tracking(self.config, folder / "trackers") as track:
            run = RunProgress(self.config, _report_to(track, on_event))
            saver = Saver(
                RunState(self.engine, self.objective, run),
                checkpoints,
                key=run_key(self.config, found.train.pairs, found.dev.pairs),
            )
            self._loop(run, heldout, saver, found.train.pairs, should_stop)
            return self._finish(run, heldout, found, out)

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
        steps = step_batches(pairs, self.config, start=start)
        for step, batch in enumerate(steps, start=start + 1):
            run.add_step(self._step(batch, step))
            if run.look_is_due(step):
                look = self._look(heldout, step=step, confirming=run.confirming)
                run.add_look(look, self.engine.weights)
            if step == self.config.max_steps or run.stop_reason is not None:
                break
            # one process is asked to stop, and all do
            stopping = any_process(should_stop is not None and should_stop())
            if stopping or step % self.config.checkpoint_every == 0:
                with self._guard.saving(step, saver.folder):
                    saver.save(step)
            if stopping:
                how = _how_to_go_on(saver.folder)
                raise InterruptedTraining(f"stopped after step {step}; {how}")

    def _look(
        self,
        heldout: HeldOut,
        *,
        step: int,
        confirming: bool = False,
        reference: Reference | None = None,
    ) -> DevEvaluation:
        with self._guard.look(step):
            look = heldout.look(
                self.engine,
                reference or self.reference,
                self.sampler,
                step=step,
                clock=lambda: time.perf_counter() - self._began,
                confirming=confirming,
            )
        return self._guard.check_look(look)

    def _step(self, batch: Sequence[EncodedPair], step: int) -> StepLog:
        self.engine.parallel.zero_grad()
        with self._guard.step(step, batch):
            gradient = self._gradient.accumulate(batch, step)
            grad_norm = apply_gradient(
                self.engine.parallel, gradient.report, self.config, step=step
            )
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

    def _finish(
        self, run: RunProgress, heldout: HeldOut, found: RunPairs, out: str | Path | None
    ) -> TrainResult:
        """Puts back the weights worth keeping, saves them, and returns what was done."""
        kept, weights = run.kept
        self.engine.restore(weights)
        self.sampler.weights_changed()
        parts = []
        if self.engine.adapter is not None:
            parts.append(self.engine.adapter.saving(self.engine.weights.whole()))
            # merging rounds: what is saved is looked at itself
            before = self.engine.adapter.merge()
            kept = self._look(heldout, step=kept.step, reference=before)
        sizes = DataSizes(len(found.train.pairs), found.too_long)
        parts.append(card_writer(self.model, self.config, run, kept, sizes))
        path = None if out is None else self._save(Path(out), parts)
        return run.result(
            kept,
            seconds=time.perf_counter() - self._began,
            model_path=path,
            too_long=found.too_long,
        )

    def _save(self, out: Path, parts: Sequence[Callable[[Path], None]]) -> Path:
        """Saves the model; every process returns when it is there."""
        state = self.engine.whole_state()
        if is_main():
            save_model(self.model, self.tokenizer, out, parts=parts, state=state)
        wait()
        return out


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
