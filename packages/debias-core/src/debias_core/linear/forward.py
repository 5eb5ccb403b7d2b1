"""One pass over the tiles: running maximum, sum and centred sums, from which all outputs follow.

With x = z - m, m the running maximum of a token's logits, three sums over the vocabulary are kept:
S = sum e^x, E = sum e^x x and, where there is a reference with logits r and x' = r - m',
F = sum e^x (x - x') beside its own S' and E'. Then

    entropy = log S - E / S        logprob = x_target - log S
    KL(p || q) = F / S - log S + log S'

E and F are *centred*: with sum e^x z, two large numbers would cancel. When m grows by a shift the
sums follow exactly: E <- e^-shift (E - shift S).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from debias_core.linear.tiles import Problem, length, spans


class Outcome(NamedTuple):
    """What one pass found for every token; each `[N]`, in the accumulators' dtype.

    Attributes:
        entropy: nats.
        logprob: of the target, nats, or None.
        kl: KL to the reference in nats, or None; rounding can leave it slightly below 0.
        maximum: the largest logit m.
        total: S = sum e^(z - m).
        ref_maximum: the reference's m, or None.
        ref_total: the reference's S, or None.
        ref_entropy: of the reference, nats, or None.
    """

    entropy: Tensor
    logprob: Tensor | None
    kl: Tensor | None
    maximum: Tensor
    total: Tensor
    ref_maximum: Tensor | None
    ref_total: Tensor | None
    ref_entropy: Tensor | None


def accumulator_dtype(device: torch.device) -> torch.dtype:
    """Return float64, which costs nothing for `[N]`; float32 on Apple's GPUs, which lack it."""
    return torch.float32 if device.type == "mps" else torch.float64


class _RunningSoftmax:
    """Maximum and sum of exponentials of every token, over the tiles seen so far."""

    def __init__(self, num_tokens: int, device: torch.device) -> None:
        dtype = accumulator_dtype(device)
        # A finite start: with -inf, the first shift times a sum of 0 would be nan.
        lowest = torch.finfo(torch.float32).min
        self.maximum = torch.full((num_tokens,), lowest, dtype=dtype, device=device)
        self.total = torch.zeros(num_tokens, dtype=dtype, device=device)

    def raise_maximum_(self, tile_vn: Tensor, tokens: slice) -> Tensor:
        """Take the tile's maximum in and centre the tile; return old minus new maximum, `[n]`."""
        old = self.maximum[tokens]
        new = torch.maximum(old, tile_vn.amax(0))
        shift = old - new
        self.maximum[tokens] = new
        tile_vn.sub_(new.to(tile_vn.dtype))
        return shift


class _Sums:
    """All sums of the pass."""

    def __init__(self, num_tokens: int, device: torch.device) -> None:
        self.policy = _RunningSoftmax(num_tokens, device)
        self.reference = _RunningSoftmax(num_tokens, device)
        self.centred = torch.zeros_like(self.policy.total)
        self.ref_centred = torch.zeros_like(self.policy.total)
        self.cross = torch.zeros_like(self.policy.total)
        self.target_logit = torch.zeros_like(self.policy.total)

    def add_reference_(self, ref_vn: Tensor, scratch_vn: Tensor, tokens: slice) -> Tensor:
        """Take a tile of the reference in, leave it centred and return the shift."""
        shift = self.reference.raise_maximum_(ref_vn, tokens)
        total, centred = self.reference.total[tokens], self.ref_centred[tokens]
        ratio = shift.exp()
        centred.add_(total * shift).mul_(ratio)
        total.mul_(ratio).add_(torch.exp(ref_vn, out=scratch_vn).sum(0))
        centred.add_(scratch_vn.mul_(ref_vn).sum(0))
        return shift

    def pick_target_(self, tile_vn: Tensor, row: Tensor, tokens: slice) -> None:
        """Keep the logits of the targets that lie in the tile, which is not centred yet."""
        row_1n, inside = rows_in_tile(row, tile_vn.shape[0])
        kept = self.target_logit[tokens]
        kept.copy_(torch.where(inside, tile_vn.gather(0, row_1n).squeeze(0).to(kept.dtype), kept))

    def add_(
        self, tile_vn: Tensor, scratch_vn: Tensor, ref_vn: Tensor | None, tokens: slice
    ) -> None:
        """Take a tile in, with the reference's tile where there is one; both are overwritten."""
        total, centred = self.policy.total[tokens], self.centred[tokens]
        ref_shift = None if ref_vn is None else self.add_reference_(ref_vn, scratch_vn, tokens)
        shift = self.policy.raise_maximum_(tile_vn, tokens)
        ratio = shift.exp()
        torch.exp(tile_vn, out=scratch_vn)
        if ref_vn is not None and ref_shift is not None:
            # x - x' before the product: its error then shrinks with the difference itself.
            torch.sub(tile_vn, ref_vn, out=ref_vn)
            cross = self.cross[tokens]
            cross.add_(total * (shift - ref_shift)).mul_(ratio)
            cross.add_(ref_vn.mul_(scratch_vn).sum(0))
        centred.add_(total * shift).mul_(ratio).add_(tile_vn.mul_(scratch_vn).sum(0))
        total.mul_(ratio).add_(scratch_vn.sum(0))


def rows_in_tile(row: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    """Return `row`, counted from the tile's first one, clamped `[1, n]`, and which lie inside."""
    return row.clamp(0, num_rows - 1).unsqueeze(0), (row >= 0) & (row < num_rows)


def run(problem: Problem) -> Outcome:
    """Return entropy, target and KL of every token in one pass over the tiles of both heads."""
    head, reference, targets = problem.head, problem.reference, problem.targets
    sums = _Sums(head.hidden.shape[0], head.hidden.device)
    buffers = problem.buffers(2 if reference else 1)
    for vocab in spans(head.weight.shape[0], problem.tiles.vocab):
        rows = head.rows(vocab)
        ref_rows = reference.rows(vocab) if reference else None
        for tokens in spans(head.hidden.shape[0], problem.tiles.tokens):
            tile_vn, *spare = buffers.tiles(length(vocab), length(tokens))
            rows.logits_(tile_vn, tokens)
            ref_vn = None
            if ref_rows is not None:
                ref_vn = spare[0]
                ref_rows.logits_(ref_vn, tokens)
            if targets is not None:
                sums.pick_target_(tile_vn, targets[tokens] - vocab.start, tokens)
            for strip in spans(length(vocab), problem.strip_rows(length(tokens))):
                scratch_sn = buffers.scratch(length(strip), length(tokens))
                ref_sn = None if ref_vn is None else ref_vn[strip]
                sums.add_(tile_vn[strip], scratch_sn, ref_sn, tokens)
    return _outcome(sums, with_target=targets is not None, with_reference=reference is not None)


def _outcome(sums: _Sums, *, with_target: bool, with_reference: bool) -> Outcome:
    policy, reference = sums.policy, sums.reference
    log_total = policy.total.log()
    logprob = kl = ref_entropy = None
    if with_target:
        # The maximum is taken off before the logarithm, so that large logits cost no digits.
        logprob = sums.target_logit - policy.maximum - log_total
    if with_reference:
        ref_log_total = reference.total.log()
        kl = sums.cross / policy.total - log_total + ref_log_total
        ref_entropy = ref_log_total - sums.ref_centred / reference.total
    return Outcome(
        entropy=log_total - sums.centred / policy.total,
        logprob=logprob,
        kl=kl,
        maximum=policy.maximum,
        total=policy.total,
        ref_maximum=reference.maximum if with_reference else None,
        ref_total=reference.total if with_reference else None,
        ref_entropy=ref_entropy,
    )
