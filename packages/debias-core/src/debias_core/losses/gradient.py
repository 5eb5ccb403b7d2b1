"""The exact gradient of a loss that is not additive over micro-batches or processes.

The loss of a gap is a function of *all* sample entropies of the effective batch. Averaging the
gradients of micro-batch gaps gives another direction, often the opposite one. Two passes give the
exact gradient:

1. the terms (entropies, KL, ...) of the whole effective batch without gradient, gathered over
   processes, and from them the coefficients `c_i = dL/dterm_i`;
2. per micro-batch, the backward pass of `sum_i c_i * term_i` with the coefficients held fixed.

By the chain rule the sum over micro-batches is dL/dweights. Where the terms are known already
(sampling computed the entropies at the same weights), the first pass is skipped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from debias_core.errors import NonFiniteError
from debias_core.losses.terms import Terms, concatenate
from debias_core.training.distributed import gather, rank, world_size

MicroBatch = TypeVar("MicroBatch")


@dataclass(frozen=True, slots=True)
class LossReport:
    """What an accumulated gradient was the gradient of.

    Attributes:
        loss: of the whole effective batch.
        terms: of the whole effective batch over all processes, without gradient.
    """

    loss: float
    terms: Terms


def accumulate_gradient(
    micro_batches: Sequence[MicroBatch],
    terms_of: Callable[[MicroBatch], Terms],
    loss_of: Callable[[Terms], Tensor],
    *,
    known: Terms | None = None,
    no_sync: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> LossReport:
    """Adds dL/dweights of the whole effective batch to `.grad`, and returns the loss.

    Args:
        micro_batches: this process's share, in order; every process holds equally many samples.
        terms_of: the terms of one micro-batch, with a graph when gradients are enabled.
        loss_of: the loss from the terms of the whole effective batch (all processes, in order of
            rank); it may use them in any differentiable way.
        known: this process's terms where they were computed before at the same weights; skips the
            first pass. A term in which the loss is linear may hold any values here: only its
            coefficient is used.
        no_sync: a context in which distributed wrappers do not reduce gradients; used for all but
            the last micro-batch. Wrappers that average over processes are compensated for.

    Raises:
        NonFiniteError: the loss is not finite; no gradient was added.
    """
    if known is None:
        with torch.no_grad():
            known = concatenate([terms_of(batch) for batch in micro_batches])
    everything = known.map(lambda t: gather(t.detach())).map(lambda t: t.requires_grad_())
    loss = loss_of(everything)
    if not bool(torch.isfinite(loss)):
        raise NonFiniteError(
            f"the loss is {float(loss.detach())}",
            loss=float(loss.detach()),
            ranges=everything.ranges(),
        )
    coefficients = _coefficients(loss, everything)
    offset = rank() * len(known.entropy)
    reduced: list[Terms] = []
    for i, batch in enumerate(micro_batches):
        last = i == len(micro_batches) - 1
        with contextlib.nullcontext() if last else no_sync():
            terms = terms_of(batch)
            size = len(terms.entropy)
            share = coefficients.map(lambda c, o=offset, s=size: c[o : o + s])  # type: ignore[misc]
            (_weighted_sum(terms, share) * world_size()).backward()  # type: ignore[no-untyped-call]
        reduced.append(terms.map(Tensor.detach))
        offset += size
    final = concatenate(reduced).map(gather)
    with torch.no_grad():
        return LossReport(float(loss_of(final)), final)


def _coefficients(loss: Tensor, terms: Terms) -> Terms:
    grads = torch.autograd.grad(
        loss, list(terms.present().values()), allow_unused=True, materialize_grads=True
    )
    return Terms(**dict(zip(terms.present(), grads, strict=True)))


def _weighted_sum(terms: Terms, coefficients: Terms) -> Tensor:
    weights = coefficients.present()
    parts = [
        (weights[name] * term).sum()
        for name, term in terms.present().items()
        if name in weights and term.requires_grad
    ]
    return torch.stack(parts).sum()
