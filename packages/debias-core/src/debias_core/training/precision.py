"""What the layers compute in, and what they keep for the backward pass.

Mixed precision is torch's autocast around the layers alone, over weights in float32. The output
layer stays outside: a gap of 0.01 nats cannot be read off bfloat16 logits, which are wrong by more
than that.

Gradient checkpointing keeps a layer's input only, and computes the layer again in the backward
pass. transformers ties it to `training`, which would switch dropout on and the KV cache off; so
that flag is set on the layers alone, never on what is inside them, and only while a gradient is
wanted.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from debias_core.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


logger = logging.getLogger(__name__)


class _AutocastHooks:
    """Enters autocast before a module's forward pass, and leaves it after."""

    def __init__(self, *, keep_casts: bool) -> None:
        self._keep_casts = keep_casts
        self._entered: list[torch.autocast] = []

    def before(self, module: nn.Module, args: object) -> None:
        del args
        context = torch.autocast(
            next(module.parameters()).device.type,
            dtype=torch.bfloat16,
            cache_enabled=self._keep_casts,
        )
        context.__enter__()  # type: ignore[no-untyped-call]
        self._entered.append(context)

    def after(self, module: nn.Module, args: object, output: object) -> None:
        del module, args, output
        self._entered.pop().__exit__(None, None, None)


def hold_in_float32(model: nn.Module) -> bool:
    """Makes weights in bfloat16 float32, as they have to be trained, and returns whether it did.

    A step's update is smaller than the distance between bfloat16's numbers: it would be rounded
    away. The weights stay what they are, so that layers can go on computing in bfloat16.

    Raises:
        ConfigError: weights in float16, which have no float32 that computes alike.
    """
    types = {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
    coarse = types - {torch.float32, torch.float64}
    if not coarse:
        return False
    if coarse != {torch.bfloat16}:
        names = sorted(str(dtype).removeprefix("torch.") for dtype in coarse)
        raise ConfigError(
            f"weights in {' and '.join(names)} cannot be trained; load the model in bfloat16 or "
            "float32, or train an adapter (lora)"
        )
    logger.info("the weights are trained and saved in float32; layers compute in bfloat16")
    model.float()
    return True


def compute_layers_in_bf16(model: PreTrainedModel, *, keep_casts: bool = True) -> None:
    """Makes everything below the output layer compute in bfloat16; the weights stay what they are.

    Put it on a model after it was copied, and on the copy too: the reference computes alike.

    Args:
        model: whose layers are changed.
        keep_casts: whether a weight's bfloat16 copy is kept until the end of the forward pass;
            where processes share the weights, such copies would be the whole model in each.
    """
    hooks, layers = _AutocastHooks(keep_casts=keep_casts), model.base_model
    layers.register_forward_pre_hook(hooks.before)
    layers.register_forward_hook(hooks.after, always_call=True)


@contextlib.contextmanager
def one_cast_for_all(device: torch.device) -> Iterator[None]:
    """Keeps the bfloat16 copies of the weights over all forward passes of the block.

    Without it every token of an answer would cast all weights again. Only for blocks without
    gradient: copies that were made without one would be taken for those with one.
    """
    # autocast drops its copies when the outermost context is left, be it enabled or not
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=False):
        yield


def checkpointed_layers(model: nn.Module) -> list[nn.Module]:
    """Prepares the layers of a model for `recomputed`, and returns them.

    Raises:
        ConfigError: this architecture has no layers that can be computed again.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: PLC0415 - seconds

    layers: list[Any] = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    if not layers:
        raise ConfigError(
            f"gradient_checkpointing: {type(model).__name__} has no layers that transformers can "
            "compute again; set it to false and lower micro_batch_size"
        )
    for layer in layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
    return layers


@contextlib.contextmanager
def recomputed(layers: Sequence[nn.Module]) -> Iterator[None]:
    """A context in which the layers keep their inputs only; what is in them stays in eval mode."""
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False
