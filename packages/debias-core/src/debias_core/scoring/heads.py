"""Where a causal LM makes its logits, and how to get at the states before it does.

Terms of a loss come from hidden states and the output matrix (`debias_core.linear`), so that the
[tokens, vocabulary] logits never exist. That needs the output layer, and what the architecture does
to its products: Gemma 2 and 3 bound them (`final_logit_softcapping`), Cohere multiplies
(`logit_scale`), Granite divides (`logits_scaling`); Llama, Mistral, Qwen, Phi, GPT-2, GPT-NeoX and
most others do nothing. The settings are read from the model's config and then *tried out*: the
model runs on two tokens with known numbers in place of its products, and what it makes of them must
be what the formula says. Where that is not so, or the weights are not plainly there (sharded,
quantised, adapted, offloaded), there is no head, one logged line says why, and scoring takes the
model's own logits.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from debias_core.linear.tiles import LogitTransform

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

_PROBE = 60.0  # products as large as models make them: a bound or a factor shows in every digit


@dataclass(frozen=True, slots=True)
class OutputHead:
    """The output layer of a model and what becomes of its products.

    The weights are read from the layer at every use, so that they are never those of an older step.

    Attributes:
        layer: holds the weight [V, D] and perhaps a bias [V].
        transform: from products to logits, at temperature 1.
        vocab_size: logits of a position; further rows of the weight are padding.
        tied: the weight is that of the input embedding too.
    """

    layer: nn.Linear
    transform: LogitTransform
    vocab_size: int
    tied: bool

    @property
    def weight(self) -> Tensor:
        """[V, D]."""
        return self.layer.weight

    @property
    def bias(self) -> Tensor | None:
        """[V] or None."""
        return self.layer.bias

    def state(self) -> tuple[tuple[int, int], ...]:
        """Returns what is another after every change of the weights, in place or not."""
        tensors = self.layer.parameters(recurse=False)
        return tuple((id(t), 0 if t.is_inference() else t._version) for t in tensors)

    def agrees_with(self, other: OutputHead) -> bool:
        """Returns whether the other one makes as many logits in the same way."""
        return (self.transform, self.vocab_size) == (other.transform, other.vocab_size)


@dataclass(frozen=True, slots=True)
class _Finding:
    """The layer that was looked at, and the head if it was one."""

    layer: nn.Module | None
    head: OutputHead | None


_FINDINGS: WeakKeyDictionary[nn.Module, _Finding] = WeakKeyDictionary()


class _NoHeadError(Exception):
    """Why a model's own logits have to be taken."""


def find_head(model: nn.Module) -> OutputHead | None:
    """Returns the output head, or None where only the model's own forward makes its logits.

    The model is looked at once, and again after its output layer was replaced; it runs on two
    tokens, without gradient. Why there is no head is logged.

    Args:
        model: a causal LM of transformers, as it is or wrapped by peft and then by
            DistributedDataParallel.
    """
    core = unwrap(model)
    layer = _output_layer(core)
    found = _FINDINGS.get(model)
    if found is None or found.layer is not layer:
        try:
            found = _Finding(layer, _examine(core, layer))
        except _NoHeadError as reason:
            logger.warning("%s: scoring holds full logits, as %s", type(core).__name__, reason)
            found = _Finding(layer, None)
        _FINDINGS[model] = found
    return found.head


def unwrap(model: nn.Module) -> nn.Module:
    """Returns the model inside DistributedDataParallel and peft's wrappers."""
    if isinstance(model, DistributedDataParallel):
        return unwrap(model.module)
    get_base_model = getattr(type(model), "get_base_model", None)
    if get_base_model is not None:  # peft, whether or not it is installed
        return unwrap(get_base_model(model))
    return model


@contextlib.contextmanager
def in_place_of(layer: nn.Linear, forward: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """A context in which the layer calls `forward` where it would multiply."""
    # on this one instance, where it hides the method of the class
    layer.forward = forward  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del layer.forward


def _output_layer(core: nn.Module) -> nn.Module | None:
    get_output_embeddings = getattr(core, "get_output_embeddings", None)
    layer = None if get_output_embeddings is None else get_output_embeddings()
    return layer if isinstance(layer, nn.Module) else None


def _examine(core: nn.Module, layer: nn.Module | None) -> OutputHead:
    """Returns the head of a model, or raises `_NoHeadError`."""
    from transformers import PreTrainedModel  # noqa: PLC0415 - seconds to import; loaded by now

    if not isinstance(core, PreTrainedModel):
        raise _NoHeadError("the model is neither of transformers nor in a wrapper that is known")
    linear = _plain_linear(layer)
    transform = _transform(core)
    vocab_size = _try_out(core, linear, transform)
    embedding = core.get_input_embeddings()
    tied = getattr(embedding, "weight", None) is linear.weight
    return OutputHead(linear, transform, vocab_size, tied)


def _plain_linear(layer: nn.Module | None) -> nn.Linear:
    """Returns the layer if its product is that of its own two tensors and nothing else."""
    from torch.distributed.tensor import DTensor  # noqa: PLC0415 - as above

    if type(layer) is not nn.Linear:
        raise _NoHeadError(f"its output layer is {_article(layer)}, not a plain linear one")
    hooked = "forward" in vars(layer) or layer._forward_hooks or layer._forward_pre_hooks
    if hooked:
        raise _NoHeadError("something is hooked into its output layer (offloading, perhaps)")
    for tensor in layer.parameters(recurse=False):
        sharded = isinstance(tensor, DTensor) or hasattr(tensor, "ds_id")
        if sharded or tensor.is_meta or tensor.numel() == 0:
            raise _NoHeadError("the weights of its output layer are sharded or not loaded")
    return layer


def _article(layer: nn.Module | None) -> str:
    return "missing" if layer is None else f"a {type(layer).__name__}"


def _transform(core: PreTrainedModel) -> LogitTransform:
    """Returns what the config says about the way from products to logits."""
    config = core.config.get_text_config()
    settings: dict[str, float | None] = {}
    for name in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
        value = getattr(config, name, None)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise _NoHeadError(f"{name} of its config is {value!r}, not a positive number")
        settings[name] = value
    return LogitTransform(
        softcap=settings["final_logit_softcapping"],
        scale=(settings["logit_scale"] or 1.0) / (settings["logits_scaling"] or 1.0),
    )


@torch.no_grad()
def _try_out(core: PreTrainedModel, layer: nn.Linear, transform: LogitTransform) -> int:
    """Returns how many logits the model makes; raises where they are not the formula's."""
    device, rows = layer.weight.device, layer.weight.shape[0]
    products_V = torch.linspace(-_PROBE, _PROBE, rows, device=device)
    calls = []

    def forward(hidden: Tensor) -> Tensor:
        calls.append(hidden.shape)
        return products_V.expand(*hidden.shape[:-1], rows).clone()

    ids = torch.zeros(1, 2, dtype=torch.long, device=device)
    with in_place_of(layer, forward), torch.autocast(device.type, enabled=False):
        output = core(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            position_ids=torch.arange(2, device=device)[None],
            use_cache=False,
            logits_to_keep=1,
        )
    if len(calls) != 1:
        raise _NoHeadError("it does not call its output layer once a forward pass")
    logits_V = output.logits[0, -1]
    vocab_size = int(logits_V.shape[0])
    expected_V = products_V.clone()
    transform.apply_(expected_V)
    digits = torch.finfo(logits_V.dtype).eps if logits_V.is_floating_point() else 0.0
    bound = 8 * max(digits, torch.finfo(torch.float32).eps) * float(expected_V.abs().max())
    if vocab_size > rows or not torch.allclose(
        logits_V.float(), expected_V[:vocab_size], rtol=0, atol=bound
    ):
        raise _NoHeadError("what it does to its logits is not what its config says")
    return vocab_size
