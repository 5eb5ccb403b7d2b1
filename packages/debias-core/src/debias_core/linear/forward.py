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

from debias_core.linear.tiles import Buffers, Problem, Tile, length, make_tile, spans


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


STATISTICS = (
    "maximum",
    "total",
    "centred",
    "target",
    "ref_maximum",
    "ref_total",
    "ref_centred",
    "cross",
)
"""What the kernels' state holds of every token, in order: the sums of the pass."""

_LOWEST = torch.finfo(torch.float32).min
"""Where a maximum starts; finite, for with -inf the first shift times a sum of 0 would be nan."""


def new_state(num_lanes: int, num_tokens: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the kernels' sums of nothing, `[8, lanes, N]`; lanes are merged at the end."""
    state = torch.zeros(len(STATISTICS), num_lanes, num_tokens, dtype=dtype, device=device)
    for name in ("maximum", "ref_maximum"):
        state[STATISTICS.index(name)] = _LOWEST
    return state


class _RunningSoftmax:
    """Maximum and sum of exponentials of every token, over the tiles seen so far."""

    def __init__(self, num_tokens: int, device: torch.device) -> None:
        dtype = accumulator_dtype(device)
        self.maximum = torch.full((num_tokens,), _LOWEST, dtype=dtype, device=device)
        self.total = torch.zeros(num_tokens, dtype=dtype, device=device)

    def set_maximum_(self, maxima: Tensor) -> Tensor:
        """Take the largest of maxima `[lanes, N]`, and return it."""
        return self.maximum.copy_(maxima.amax(0))

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
    head, reference = problem.head, problem.reference
    buffers = problem.buffers(2 if reference else 1)
    collector = _Collector(problem, buffers) if problem.kernels is None else _Fused(problem)
    for vocab in spans(head.weight.shape[0], problem.tiles.vocab):
        rows = head.rows(vocab)
        ref_rows = reference.rows(vocab) if reference else None
        for tokens in spans(head.hidden.shape[0], problem.tiles.tokens):
            collector.add_tile_(make_tile((rows, ref_rows), buffers, vocab, tokens))
    with_target, with_reference = problem.targets is not None, reference is not None
    return _outcome(collector.sums(), with_target=with_target, with_reference=with_reference)


class _Collector:
    """Takes tiles in with the operations of torch, strip by strip; they are overwritten."""

    def __init__(self, problem: Problem, buffers: Buffers) -> None:
        self._problem, self._buffers = problem, buffers
        hidden = problem.head.hidden
        self._sums = _Sums(hidden.shape[0], hidden.device)

    def add_tile_(self, tile: Tile) -> None:
        """Take a tile in."""
        tokens, (rows, width) = tile.tokens, tile.logits.shape
        if self._problem.targets is not None:
            row = self._problem.targets[tokens] - tile.first_row
            self._sums.pick_target_(tile.logits, row, tokens)
        for strip in spans(rows, self._problem.strip_rows(width)):
            scratch_sn = self._buffers.scratch(length(strip), width)
            ref_sn = None if tile.reference is None else tile.reference[strip]
            self._sums.add_(tile.logits[strip], scratch_sn, ref_sn, tokens)

    def sums(self) -> _Sums:
        """Return the sums over all tiles."""
        return self._sums


class _Fused:
    """Takes tiles in with one kernel each."""

    def __init__(self, problem: Problem) -> None:
        assert problem.kernels is not None
        self._kernels, self._targets = problem.kernels, problem.targets
        hidden = problem.head.hidden
        self._state = problem.kernels.new_state(
            hidden.shape[0], problem.tiles.tokens, hidden.device
        )

    def add_tile_(self, tile: Tile) -> None:
        """Take a tile in."""
        self._kernels.add_tile_(self._state, tile, self._targets)

    def sums(self) -> _Sums:
        """Return the sums over all tiles: those of the lanes, brought to one maximum."""
        state = self._state.to(accumulator_dtype(self._state.device))
        m, s, e, target, ref_m, ref_s, ref_e, f = state
        sums = _Sums(state.shape[2], state.device)
        shift = m - sums.policy.set_maximum_(m)
        ref_shift = ref_m - sums.reference.set_maximum_(ref_m)
        ratio, ref_ratio = shift.exp(), ref_shift.exp()
        sums.policy.total.copy_((ratio * s).sum(0))
        sums.centred.copy_((ratio * (e + shift * s)).sum(0))
        sums.reference.total.copy_((ref_ratio * ref_s).sum(0))
        sums.ref_centred.copy_((ref_ratio * (ref_e + ref_shift * ref_s)).sum(0))
        sums.cross.copy_((ratio * (f + (shift - ref_shift) * s)).sum(0))
        sums.target_logit.copy_(target.sum(0))
        return sums


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
