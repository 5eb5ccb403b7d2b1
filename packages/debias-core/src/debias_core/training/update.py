"""What a gradient does to the weights: checked, clipped, applied at its step's learning rate."""

from __future__ import annotations

import math

from debias_core.config import TrainConfig
from debias_core.errors import NonFiniteError
from debias_core.losses.gradient import LossReport
from debias_core.training.wrappers import OneProcess


def apply_gradient(
    parallel: OneProcess, report: LossReport, config: TrainConfig, *, step: int
) -> float:
    """Takes the optimiser step, and returns the norm of the gradient before clipping.

    Args:
        parallel: what holds the gradient, and the optimiser.
        report: of the loss that the gradient is of.
        config: of the run.
        step: 1 for the first.

    Raises:
        NonFiniteError: the loss or the norm is not finite; no weight was changed.
    """
    if not math.isfinite(report.loss):
        raise _not_finite(f"the loss is {report.loss}", report)
    norm = parallel.step(
        learning_rate=learning_rate(config, step), max_grad_norm=config.max_grad_norm
    )
    if not math.isfinite(norm):
        raise _not_finite(f"the gradient's norm is {norm}, the loss {report.loss}", report)
    return norm


def _not_finite(what: str, report: LossReport) -> NonFiniteError:
    return NonFiniteError(what, loss=report.loss, ranges=report.terms.ranges())


def learning_rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, 1 for the first: a function of the step alone."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps - 1) / max(1, config.max_steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))
