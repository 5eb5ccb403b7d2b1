"""What happened in a run: its log, whether to stop, the weights worth keeping, the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from debias_core.config import TrainConfig
from debias_core.recovery.checkpoint import Json
from debias_core.recovery.weights import TrainedWeights
from debias_core.sampling.outcomes import Outcomes
from debias_core.training.heldout import DevEvaluation
from debias_core.training.statistics import GapEstimate

StopReason = Literal["target", "kl_budget", "max_steps"]


@dataclass(frozen=True, slots=True)
class StepLog:
    """One optimiser step, measured on its own training batch: for watching, never for claims.

    Attributes:
        step: 1 for the first.
        loss: of the effective batch.
        gap: of the batch, nats.
        kl: mean of the batch, nats per token; None where the objective does not use it.
        grad_norm: before clipping.
        multiplier: of the constraint.
        tokens: answer tokens sampled for it.
        seconds: since training began.
        answers: sampled for it.
        truncated: of them, those that met the length limit.
        empty: of them, those of nothing but the end-of-sequence token.
    """

    step: int
    loss: float
    gap: float
    kl: float | None
    grad_norm: float
    multiplier: float
    tokens: int
    seconds: float
    answers: int = 0
    truncated: int = 0
    empty: int = 0


EventHandler = Callable[[StepLog | DevEvaluation], None]


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


class RunProgress:
    """The log of a run and what follows from it.

    Attributes:
        history: every step.
        looks: every look at the held-out pairs.
        stop_reason: why to stop now, or None.
        seconds_to_target: until the target was reached, or None.
    """

    def __init__(self, config: TrainConfig, on_event: EventHandler) -> None:
        self._config, self._on_event = config, on_event
        self.history: list[StepLog] = []
        self.looks: list[DevEvaluation] = []
        self.stop_reason: StopReason | None = None
        self.seconds_to_target: float | None = None
        self._inside_in_a_row = 0
        self._kept: tuple[DevEvaluation, dict[str, Tensor]] | None = None

    def add_step(self, log: StepLog) -> None:
        """Records a step."""
        self.history.append(log)
        self._on_event(log)

    def look_is_due(self, step: int) -> bool:
        """Whether to look after a step: the last one, every `eval_every`, sooner to confirm one."""
        config = self._config
        if step == config.max_steps or step % config.eval_every == 0:
            return True
        if config.confirm_after is None or not self.confirming:
            return False
        return step - self.looks[-1].step >= config.confirm_after

    @property
    def confirming(self) -> bool:
        """Whether the last look was inside, and the next one is to confirm it."""
        return 0 < self._inside_in_a_row < self._config.patience

    def add_look(self, look: DevEvaluation, weights: TrainedWeights) -> None:
        """Records a look, keeps the weights if they are the best so far, decides on stopping."""
        self.looks.append(look)
        self._on_event(look)
        inside = look.gap.inside(self._config.target_gap)
        self._inside_in_a_row = self._inside_in_a_row + 1 if inside else 0
        if self._inside_in_a_row >= self._config.patience and self.seconds_to_target is None:
            self.seconds_to_target = look.seconds
        if self._config.early_stopping:
            if self.seconds_to_target is not None:
                self.stop_reason = "target"
            elif self._config.kl_budget is not None and look.kl > self._config.kl_budget:
                self.stop_reason = "kl_budget"
        if self._worth_keeping(look):
            self._kept = (look, weights.copy())

    def _worth_keeping(self, look: DevEvaluation) -> bool:
        if self._kept is None or not self._config.early_stopping:
            return True  # without early stopping the last model is the result
        return self._rank(look) < self._rank(self._kept[0])

    def _rank(self, look: DevEvaluation) -> tuple[int, float]:
        """Orders looks: inside the target and least KL, then least bound on the gap.

        A look inside counts as such while every later one is inside too: of many looks one falls
        inside by luck, and the one of least KL among the lucky ones is the likeliest to be kept.
        """
        since = (later for later in self.looks if later.step >= look.step)
        if all(later.gap.inside(self._config.target_gap) for later in since):
            return 0, look.kl
        return 1, max(-look.gap.low, look.gap.high)

    def result(
        self, kept: DevEvaluation, *, seconds: float, model_path: Path | None, too_long: int
    ) -> TrainResult:
        """Returns what the run did.

        Args:
            kept: the look at exactly the weights that were kept.
            seconds: of the whole run.
            model_path: where they were saved, or None.
            too_long: pairs that were left out.
        """
        return TrainResult(
            steps=len(self.history),
            best_step=kept.step,
            kept=kept,
            stop_reason=self.stop_reason or "max_steps",
            reached_target=self.seconds_to_target is not None,
            seconds=seconds,
            seconds_to_target=self.seconds_to_target,
            history=tuple(self.history),
            evaluations=tuple(self.looks),
            model_path=model_path,
            outcomes=self._outcomes(too_long),
        )

    def _outcomes(self, too_long: int) -> Outcomes:
        """Returns what became of the answers of all steps; `too_long` is carried over."""
        answers, truncated, empty = (
            sum(getattr(log, name) for log in self.history)
            for name in ("answers", "truncated", "empty")
        )
        return Outcomes(answers, truncated, empty, too_long)

    @property
    def kept(self) -> tuple[DevEvaluation, dict[str, Tensor]]:
        """The look and the weights worth keeping; there is one after the first look."""
        if self._kept is None:
            raise RuntimeError("no look was taken yet")
        return self._kept

    def to_json(self) -> Json:
        """Returns everything but the weights as plain JSON values."""
        return {
            "history": [asdict(log) for log in self.history],
            "looks": [asdict(look) for look in self.looks],
            "seconds_to_target": self.seconds_to_target,
            "inside_in_a_row": self._inside_in_a_row,
            "kept": asdict(self.kept[0]),
        }

    def restore(self, state: Json, kept: dict[str, Tensor]) -> None:
        """Takes over what `to_json` returned."""
        self.history = [StepLog(**log) for log in state["history"]]
        self.looks = [_look(look) for look in state["looks"]]
        self.seconds_to_target = state["seconds_to_target"]
        self._inside_in_a_row = state["inside_in_a_row"]
        self._kept = (_look(state["kept"]), kept)


def _look(values: Json) -> DevEvaluation:
    return DevEvaluation(**{**values, "gap": GapEstimate(**values["gap"])})
