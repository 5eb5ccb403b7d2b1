"""The gradient of all outputs at once, tile by tile, from logits that are computed again.

With upstream gradients g_H, g_L, g_K of entropy, log-probability and KL, and p = e^x / S:

    dH/dz_j = -p_j (log p_j + H)
    dL/dz_j = 1[j = target] - p_j
    dK/dz_j = p_j (log p_j - log q_j - K)

    G = p * (-g_H log p + g_K (log p - log q) - g_H H - g_K K - g_L) + g_L 1[j = target]

As log p = x - log S and log p - log q = (x - x') + log(S'/S), the bracket over S is linear in x and
x - x' with three constants a token: `G = e^x * (a x + c (x - x') + b) + ...`. Through the
temperature, the scale and the softcap, dz/du = slope * (1 - tanh^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from debias_core.linear.forward import Outcome, rows_in_tile
from debias_core.linear.tiles import Buffers, Problem, Tile, add_product_, length, make_tile, spans


@dataclass(frozen=True, slots=True)
class Upstream:
    """Gradients of the loss with respect to the outputs, `[N]` each; None is 0."""

    entropy: Tensor | None
    logprob: Tensor | None
    kl: Tensor | None


@dataclass(frozen=True, slots=True)
class Gradients:
    """Where the gradients go; None is not computed.

    Attributes:
        hidden: `[N, D]`, zeros in the dtype of the tiles.
        weight: `[V, D]` in any dtype; every row is overwritten.
        bias: `[V]`, zeros in the dtype of the tiles.
    """

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class TokenConstants:
    """What turns tiles of logits into tiles of G, `[N]` each, in the dtype of the tiles.

    `per_x`, `per_difference` and `constant` are a, c and b of the module's formula times the slope.
    """

    maximum: Tensor
    ref_maximum: Tensor | None
    per_x: Tensor
    per_difference: Tensor | None
    constant: Tensor
    at_target: Tensor | None

    @classmethod
    def of(cls, outcome: Outcome, upstream: Upstream, problem: Problem) -> Self:
        """Return the constants from what the forward pass found and the upstream gradients."""
        dtype, slope = problem.head.dtype, problem.head.transform.slope
        total, log_total = outcome.total, outcome.total.log()
        zero = torch.zeros_like(total)
        g_entropy = zero if upstream.entropy is None else upstream.entropy.to(zero.dtype)
        g_logprob = zero if upstream.logprob is None else upstream.logprob.to(zero.dtype)
        constant = g_entropy * (log_total - outcome.entropy) - g_logprob
        per_difference = ref_maximum = None
        if upstream.kl is not None:
            assert outcome.kl is not None
            assert outcome.ref_total is not None
            assert outcome.ref_maximum is not None
            g_kl = upstream.kl.to(zero.dtype)
            constant = constant + g_kl * (outcome.ref_total.log() - log_total - outcome.kl)
            per_difference = (g_kl / total * slope).to(dtype)
            ref_maximum = outcome.ref_maximum.to(dtype)
        return cls(
            maximum=outcome.maximum.to(dtype),
            ref_maximum=ref_maximum,
            per_x=(-g_entropy / total * slope).to(dtype),
            per_difference=per_difference,
            constant=(constant / total * slope).to(dtype),
            at_target=None if upstream.logprob is None else (g_logprob * slope).to(dtype),
        )

    def gradient_(
        self, tile_vn: Tensor, scratch_vn: Tensor, ref_vn: Tensor | None, tokens: slice
    ) -> None:
        """Overwrite the logits in `tile_vn` with G, but for the target's term and the softcap."""
        tile_vn.sub_(self.maximum[tokens])
        torch.addcmul(self.constant[tokens], tile_vn, self.per_x[tokens], out=scratch_vn)
        if ref_vn is not None and self.ref_maximum is not None and self.per_difference is not None:
            ref_vn.sub_(self.ref_maximum[tokens])
            torch.sub(tile_vn, ref_vn, out=ref_vn)
            scratch_vn.addcmul_(ref_vn, self.per_difference[tokens])
        tile_vn.exp_().mul_(scratch_vn)

    def add_target_(self, tile_vn: Tensor, row: Tensor, tokens: slice) -> None:
        """Add `g_L` at the targets that lie in the tile."""
        if self.at_target is not None:
            row_1n, inside = rows_in_tile(row, tile_vn.shape[0])
            tile_vn.scatter_add_(0, row_1n, (self.at_target[tokens] * inside).unsqueeze(0))


def run_(problem: Problem, constants: TokenConstants, into: Gradients, buffers: Buffers) -> None:
    """Write the gradients that `into` has room for; two tiles in `buffers` where KL is used."""
    head = problem.head
    reference = None if constants.per_difference is None else problem.reference
    for vocab in spans(head.weight.shape[0], problem.tiles.vocab):
        rows = head.rows(vocab)
        ref_rows = reference.rows(vocab) if reference else None
        weight_slice = _accumulator_for(into.weight, vocab, head.dtype)
        for tokens in spans(head.hidden.shape[0], problem.tiles.tokens):
            tile = make_tile((rows, ref_rows), buffers, vocab, tokens)
            _to_gradient_(problem, constants, buffers, tile)
            factor_vn = tile.logits.to(head.hidden.dtype)
            if into.hidden is not None:
                add_product_(into.hidden[tokens], factor_vn.T, rows.weight)
            if weight_slice is not None:
                add_product_(weight_slice, factor_vn, head.hidden[tokens])
            if into.bias is not None:
                into.bias[vocab].add_(tile.logits.sum(1))
        if into.weight is not None and weight_slice is not None:
            _store_(into.weight[vocab], weight_slice)


def _to_gradient_(
    problem: Problem, constants: TokenConstants, buffers: Buffers, tile: Tile
) -> None:
    """Overwrite the logits of a tile with dLoss/du; `buffers` have room for a strip."""
    targets, transform = problem.targets, problem.head.transform
    if problem.kernels is not None:
        problem.kernels.to_gradient_(tile, constants, targets, transform.per_tanh)
        return
    tokens, (rows, width) = tile.tokens, tile.logits.shape
    for strip in spans(rows, problem.strip_rows(width)):
        logits_sn, scratch_sn = tile.logits[strip], buffers.scratch(length(strip), width)
        ref_sn = None if tile.reference is None else tile.reference[strip]
        flattening = transform.flattening(logits_sn)
        constants.gradient_(logits_sn, scratch_sn, ref_sn, tokens)
        if targets is not None:
            row = targets[tokens] - (tile.first_row + strip.start)
            constants.add_target_(logits_sn, row, tokens)
        if flattening is not None:
            logits_sn.mul_(flattening)


def _accumulator_for(weight: Tensor | None, vocab: slice, dtype: torch.dtype) -> Tensor | None:
    """Return zeros for the gradient of the rows `vocab`: in place where the dtype allows it."""
    if weight is None:
        return None
    rows = weight[vocab]
    return rows.zero_() if rows.dtype == dtype else torch.zeros_like(rows, dtype=dtype)


def _store_(rows: Tensor, accumulated: Tensor) -> None:
    if rows.dtype != accumulated.dtype:
        rows.copy_(accumulated)
