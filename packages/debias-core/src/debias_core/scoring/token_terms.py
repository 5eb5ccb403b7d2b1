"""Terms of every answer token: from hidden states where the output head is known, else from logits.

Both ways give the same numbers (tested for every family of `scoring.heads`). The first never
holds [N, V] logits: while the model runs, its output layer is replaced by one that takes the states
of answer tokens, makes their statistics tile by tile and hands on logits of width 0. That happens
inside the call of the outermost wrapper, so that hooks on gradients and autocast are in place.

Here `Terms` holds one value a token, [N], not one a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from debias_core.errors import DataError
from debias_core.linear import CompileHead, TokenStats, linear_token_entropy
from debias_core.losses.terms import Terms
from debias_core.scoring.entropy import token_entropy, token_kl, token_logprob
from debias_core.scoring.heads import OutputHead, find_head, in_place_of
from debias_core.scoring.reference import Reference

if TYPE_CHECKING:
    from debias_core.scoring.answers import Batch


@dataclass(frozen=True, slots=True)
class Request:
    """Which terms are computed beside the entropy, and how.

    Attributes:
        reference: gives KL and the reference's entropy.
        temperature: of the entropies; all else is of the untempered distributions.
        logprob: of every token.
        num_sides: of the divergence; the rows of one answer stand together, one a side. 0: none.
        compile_head: as in `linear_token_entropy`.
    """

    reference: Reference | None = None
    temperature: float = 1.0
    logprob: bool = False
    num_sides: int = 0
    compile_head: CompileHead = "none"


def token_terms(model: nn.Module, batch: Batch, request: Request) -> Terms:
    """Returns the terms of every answer token, rows one after the other.

    The divergence compares the distributions of different rows; it is computed from full logits.
    """
    terms = None if request.num_sides else _from_states(model, batch, request)
    return _from_logits(model, batch, request) if terms is None else terms


@dataclass(frozen=True, slots=True)
class _ReferenceStates:
    """What KL is measured against: states [N, D'] and the head that makes logits of them."""

    hidden: Tensor
    head: OutputHead


def _from_states(model: nn.Module, batch: Batch, request: Request) -> Terms | None:
    """Returns the terms without any logits, or None where a head is not known."""
    head = find_head(model)
    if head is None:
        return None
    reference = None
    if request.reference is not None:
        reference = _reference_states(request.reference, batch, head)
        if reference is None:
            return None

    def terms_of(hidden_ND: Tensor) -> TokenStats:
        return _statistics(hidden_ND, head, reference, batch.targets_N, request)

    entropy, logprob, kl, reference_entropy = _run_headless(model, head, batch, terms_of)
    assert entropy is not None
    return Terms(entropy, kl, reference_entropy, logprob)


def _reference_states(
    reference: Reference, batch: Batch, head: OutputHead
) -> _ReferenceStates | None:
    """Returns the reference's states, or None where its logits are not made as the model's are.

    Nor can they be used where the output matrix is the reference's in its context only.
    """
    with torch.no_grad(), reference.using() as frozen:
        ref_head = find_head(frozen)
        if ref_head is None or not ref_head.agrees_with(head):
            return None
        (hidden,) = _run_headless(frozen, ref_head, batch, lambda hidden_ND: (hidden_ND,))
        state = ref_head.state()
    assert hidden is not None
    return _ReferenceStates(hidden, ref_head) if ref_head.state() == state else None


def _run_headless(
    model: nn.Module,
    head: OutputHead,
    batch: Batch,
    take: Callable[[Tensor], tuple[Tensor | None, ...]],
) -> tuple[Tensor | None, ...]:
    """Runs the model with `take` in place of its output layer, and returns what that returned.

    Args:
        model: with its wrappers.
        head: of the model.
        batch: [B] rows.
        take: is given the states that predict answer tokens, [N, D].
    """
    width_A = batch.predicts.shape[1]
    taken: list[tuple[Tensor | None, ...]] = []

    def forward(hidden_BTD: Tensor) -> Tensor:
        values = take(hidden_BTD[:, -width_A:][batch.predicts])
        taken.append(values)
        # Of width 0, but descended from the values: a wrapper that looks for unused parameters
        # in the graph of the model's outputs must find those of the head.
        link = torch.stack([value[:0].sum() for value in values if value is not None]).sum()
        return hidden_BTD[..., :0] + link.to(hidden_BTD.dtype)

    with in_place_of(head.layer, forward):
        _call(model, batch)
    (values,) = taken
    return values


def _call(model: nn.Module, batch: Batch) -> Tensor:
    """Runs the model, and returns its logits of the columns that predict answers, [B, A, V]."""
    width_A = batch.predicts.shape[1]
    output = model(input_ids=batch.input_ids, use_cache=False, logits_to_keep=width_A)
    logits: Tensor = output.logits[:, -width_A:]
    return logits


def _layer(hidden_ND: Tensor, head: OutputHead, request: Request) -> partial[TokenStats]:
    """Returns `linear_token_entropy` for the states of a model; temperature and the rest follow."""
    return partial(
        linear_token_entropy,
        hidden_ND,
        head.weight,
        bias=head.bias,
        softcap=head.transform.softcap,
        scale=head.transform.scale,
        vocab_size=head.vocab_size,
        compile_head=request.compile_head,
    )


def _statistics(
    hidden_ND: Tensor,
    head: OutputHead,
    reference: _ReferenceStates | None,
    targets_N: Tensor,
    request: Request,
) -> TokenStats:
    """Returns the statistics of every token that are asked for.

    Entropies at another temperature than the rest are those of other logits: they are made in
    passes of their own.
    """
    layer = _layer(hidden_ND, head, request)
    if reference is not None:
        layer = partial(
            layer,
            ref_hidden=reference.hidden,
            ref_weight=reference.head.weight,
            ref_bias=reference.head.bias,
        )
    if request.logprob:
        layer = partial(layer, targets=targets_N)
    if request.temperature == 1.0:
        return layer()
    tempered = _layer(hidden_ND, head, request)(temperature=request.temperature)
    if reference is None and not request.logprob:
        return tempered
    untempered = layer()._replace(entropy=tempered.entropy)
    if reference is None:
        return untempered
    with torch.no_grad():
        of_reference = _layer(reference.hidden, reference.head, request)(
            temperature=request.temperature
        )
    return untempered._replace(ref_entropy=of_reference.entropy)


def _from_logits(model: nn.Module, batch: Batch, request: Request) -> Terms:
    """Returns the terms from the model's own logits, which are held whole."""
    logits_NV = _call(model, batch)[batch.predicts]
    kl = reference_entropy = logprob = divergence = None
    if request.reference is not None:
        with torch.no_grad(), request.reference.using() as frozen:
            reference_NV = _call(frozen, batch)[batch.predicts]
            reference_entropy = token_entropy(reference_NV, temperature=request.temperature)
        kl = token_kl(logits_NV, reference_NV)
    if request.logprob:
        logprob = token_logprob(logits_NV, batch.targets_N)
    if request.num_sides:
        divergence = _divergence(logits_NV, batch.sample_N, request.num_sides)
    entropy = token_entropy(logits_NV, temperature=request.temperature)
    return Terms(entropy, kl, reference_entropy, logprob, divergence)


def _divergence(logits_NV: Tensor, sample_N: Tensor, num_sides: int) -> Tensor:
    """Returns KL between each row's distribution and those of the other sides, averaged, [N].

    From full logits: it is a baseline's loss, and takes every row as another's reference.
    """
    width_A = torch.bincount(sample_N)
    if len(width_A) % num_sides or bool((width_A.view(-1, num_sides).diff(dim=1) != 0).any()):
        raise DataError(
            f"a divergence needs rows in groups of {num_sides}, one answer under every side; "
            f"micro_batch_size must be a multiple of {num_sides}"
        )
    start_S = width_A.cumsum(0) - width_A
    token_N = torch.arange(len(sample_N), device=sample_N.device) - start_S[sample_N]
    total = logits_NV.new_zeros(len(sample_N), dtype=torch.float32)
    for shift in range(1, num_sides):
        other_N = sample_N - sample_N % num_sides + (sample_N + shift) % num_sides
        total = total + token_kl(logits_NV, logits_NV[start_S[other_N] + token_N])
    return total / (num_sides - 1)
