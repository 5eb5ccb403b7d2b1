"""What a gradient does to the weights: checked, clipped, applied at its step's learning rate."""

from __future__ import annotations

import math

import torch

from debias_core.config import TrainConfig
from debias_core.errors import NonFiniteError
from debias_core.losses.gradient import LossReport
from debias_core.recovery.weights import whole_tensor


def apply_gradient(
    optimizer: torch.optim.Optimizer, report: LossReport, config: TrainConfig, *, step: int
) -> float:
    """Takes the optimiser step, and returns the norm of the gradient before clipping.

    Args:
        optimizer: whose parameters hold the gradient in `.grad`.
        report: of the loss that the gradient is of.
        config: of the run.
        step: 1 for the first.

    Raises:
        NonFiniteError: the loss or the norm is not finite; no weight was changed.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    norm = float(whole_tensor(total))
    if not (math.isfinite(norm) and math.isfinite(report.loss)):
        what = f"the gradient's norm is {norm}, the loss {report.loss}"
        raise NonFiniteError(what, loss=report.loss, ranges=report.terms.ranges())
    torch.nn.utils.clip_grads_with_norm_(parameters, config.max_grad_norm, total)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, step)
    optimizer.step()
    return norm


def learning_rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, 1 for the first: a function of the step alone."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps - 1) / max(1, config.max_steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))
