"""The public function, its checks and its place in autograd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from debias_core.config.checks import CompileHead, check_compile_head
from debias_core.errors import DataError
from debias_core.linear import backward, compiled_logits, compiled_tiles, forward
from debias_core.linear.backward import Gradients, TokenConstants, Upstream
from debias_core.linear.checks import (
    check_layer,
    check_reference,
    check_targets,
    check_transform,
    check_vocab_size,
)
from debias_core.linear.choice import Kind, choose
from debias_core.linear.forward import Outcome
from debias_core.linear.tiles import Head, LogitTransform, Problem, Tiles


class TokenStats(NamedTuple):
    """Statistics of every token's next-token distribution p, `[N]` each.

    Attributes:
        entropy: nats.
        logprob: log p of the target, nats; None without targets.
        kl: KL(p || reference), nats; None without a reference.
        ref_entropy: of the reference, nats; a constant. None without a reference.
    """

    entropy: Tensor
    logprob: Tensor | None
    kl: Tensor | None
    ref_entropy: Tensor | None


def linear_token_entropy(  # noqa: PLR0913 - one name per setting of a published model's output layer
    hidden: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    temperature: float = 1.0,
    targets: Tensor | None = None,
    ref_hidden: Tensor | None = None,
    ref_weight: Tensor | None = None,
    ref_bias: Tensor | None = None,
    softcap: float | None = None,
    scale: float | None = None,
    vocab_size: int | None = None,
    tiles: Tiles | None = None,
    compile_head: CompileHead = "none",
) -> TokenStats:
    """Return entropy, target log-probability and KL of every token, without its logits.

    The distribution is `softmax(z)` with `u = hidden @ weight.T + bias` and
    `z = softcap * tanh(scale * u / softcap) / temperature` (`z = scale * u / temperature` without a
    softcap), for the policy and for the reference alike. Logits are made, used and dropped tile by
    tile in float32, and made again in the backward pass: beside the gradients themselves the
    memory is a few tiles, never `[N, V]`. The outputs are float32, or float64 where an input is
    float64, whatever the model's dtype and whether or not autocast is on.

    All outputs are differentiable, together, with respect to `hidden`, `weight` and `bias`; only
    the gradients that are required are computed. The reference is a constant, and so is its
    entropy. The gradient cannot be differentiated again.

    Args:
        hidden: `[N, D]`, the states that predict the tokens; select them before the call.
        weight: `[V, D]`, the output matrix.
        bias: `[V]`; -inf takes a token out of the distribution.
        temperature: above 0.
        targets: `[N]` integers in `[0, vocab_size)`.
        ref_hidden: `[N, D']`, the reference model's states at the same positions.
        ref_weight: `[V, D']`, the reference model's output matrix; may be `weight` itself.
        ref_bias: `[V]`.
        softcap: bound of the logits, as in Gemma 2 (`final_logit_softcapping`).
        scale: factor of the logits, as in Cohere's models (`logit_scale`).
        vocab_size: rows from here on are padding and take no part; their gradient is 0.
        tiles: size of a tile of logits; chosen by the device where it is None.
        compile_head: `tiles` has `torch.compile` make the passes over a tile: sooner done on a CPU,
            in as little memory. `logits` holds the logits after all and compiles the rest: sooner
            still, for memory of `[N, V]` twice, four times with a reference.

    Raises:
        DataError: shapes, devices or dtypes do not fit together, or a target is out of range.
        ConfigError: temperature, softcap, scale, vocab_size or compile_head cannot be used, or
            torch cannot compile here.
    """
    if ref_hidden is not None and ref_weight is None:
        raise DataError("ref_hidden needs ref_weight; pass ref_weight=weight for a shared layer")
    if ref_hidden is None and (ref_weight is not None or ref_bias is not None):
        raise DataError("ref_weight and ref_bias need ref_hidden")
    check_compile_head(compile_head)
    check_layer("", hidden, weight, bias)
    num_rows = check_vocab_size(vocab_size, weight)
    if ref_hidden is not None and ref_weight is not None:
        check_layer("ref_", ref_hidden, ref_weight, ref_bias)
        check_reference(ref_hidden, ref_weight, hidden=hidden, num_rows=num_rows)
    if targets is not None:
        check_targets(targets, hidden=hidden, num_rows=num_rows)
        targets = targets.long().contiguous()
    floats = [t for t in (hidden, weight, bias, ref_hidden, ref_weight, ref_bias) if t is not None]
    transform = check_transform(temperature, softcap, scale)
    dtype = torch.float64 if any(t.dtype == torch.float64 for t in floats) else torch.float32
    if compile_head == "logits":
        reference = None
        if ref_hidden is not None and ref_weight is not None:
            reference = (ref_hidden, ref_weight, ref_bias)
        found = compiled_logits.statistics(
            (hidden, weight, bias),
            targets,
            reference,
            vocab_size=num_rows,
            transform=transform,
            dtype=dtype,
        )
        return TokenStats(*found)
    settings = _Settings(
        transform=transform,
        vocab_size=num_rows,
        tiles=tiles or Tiles.choose(hidden.shape[0], num_rows, hidden.device),
        dtype=dtype,
        compiled=compile_head == "tiles",
    )
    outputs = _LinearTokenStats.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        settings, hidden, weight, bias, targets, ref_hidden, ref_weight, ref_bias
    )
    return TokenStats(*outputs)


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is not a tensor."""

    transform: LogitTransform
    vocab_size: int
    tiles: Tiles
    dtype: torch.dtype
    compiled: bool

    def problem(
        self,
        layer: tuple[Tensor, Tensor, Tensor | None],
        targets: Tensor | None,
        reference: tuple[Tensor | None, Tensor | None, Tensor | None],
    ) -> Problem:
        ref_hidden, ref_weight, ref_bias = reference
        ref_head = None
        if ref_hidden is not None and ref_weight is not None:
            ref_head = self._head((ref_hidden, ref_weight, ref_bias))
        kind = Kind(layer[0].device, self.dtype, has_reference=ref_head is not None)
        return Problem(
            head=self._head(layer),
            reference=ref_head,
            targets=targets,
            tiles=self.tiles,
            kernels=compiled_tiles if self.compiled else choose(kind),
        )

    def _head(self, layer: tuple[Tensor, Tensor, Tensor | None]) -> Head:
        return Head.prepare(
            layer, vocab_size=self.vocab_size, transform=self.transform, dtype=self.dtype
        )


class _LinearTokenStats(torch.autograd.Function):
    """The statistics of (settings, hidden, weight, bias, targets, the reference's layer)."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd wants every tensor as an argument of its own
        ctx: Any,
        settings: _Settings,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor | None,
        ref_hidden: Tensor | None,
        ref_weight: Tensor | None,
        ref_bias: Tensor | None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        ctx.set_materialize_grads(False)
        ctx.settings = settings
        with torch.autocast(hidden.device.type, enabled=False):
            problem = settings.problem(
                (hidden, weight, bias), targets, (ref_hidden, ref_weight, ref_bias)
            )
            outcome = forward.run(problem)
        ctx.save_for_backward(
            hidden, weight, bias, targets, ref_hidden, ref_weight, ref_bias, *outcome
        )
        logprob, kl, ref_entropy = outcome.logprob, outcome.kl, outcome.ref_entropy
        if ref_entropy is not None:
            ref_entropy = ref_entropy.to(settings.dtype)
            ctx.mark_non_differentiable(ref_entropy)
        return (
            outcome.entropy.to(settings.dtype),
            None if logprob is None else logprob.to(settings.dtype),
            # KL is never negative; rounding can put a KL of 0 at -1e-8.
            None if kl is None else kl.clamp(min=0.0).to(settings.dtype),
            ref_entropy,
        )

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        grad_entropy: Tensor | None,
        grad_logprob: Tensor | None,
        grad_kl: Tensor | None,
        _: None,
    ) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets, *rest = ctx.saved_tensors
        settings: _Settings = ctx.settings
        hidden_needed, weight_needed, bias_needed = ctx.needs_input_grad[1:4]
        with torch.autocast(hidden.device.type, enabled=False):
            problem = settings.problem((hidden, weight, bias), targets, tuple(rest[:3]))
            upstream = Upstream(grad_entropy, grad_logprob, grad_kl)
            constants = TokenConstants.of(Outcome(*rest[3:]), upstream, problem)
            # Before the gradients: they then lie where those of the forward pass lay.
            buffers = problem.buffers(1 if grad_kl is None else 2)
            into = Gradients(
                hidden=torch.zeros_like(hidden, dtype=settings.dtype) if hidden_needed else None,
                weight=torch.empty_like(weight) if weight_needed else None,
                bias=torch.zeros_like(bias, dtype=settings.dtype) if bias_needed else None,
            )
            if into.weight is not None:
                into.weight[settings.vocab_size :].zero_()
            backward.run_(problem, constants, into, buffers)
        return (
            None,
            None if into.hidden is None else into.hidden.to(hidden.dtype),
            into.weight,
            None if into.bias is None else into.bias.to(bias.dtype),
            None,
            None,
            None,
            None,
        )
