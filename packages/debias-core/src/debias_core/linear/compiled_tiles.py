"""The passes over a tile of logits, compiled by torch: a tile is read two or three times, not ten.

The operations are those of `forward` and `backward`; what is carried from tile to tile is float64.
Memory stays that of a tile. Compiling takes some seconds, and is seldom done again for other
numbers of tokens.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from debias_core.linear import forward
from debias_core.linear.compiling import compiling
from debias_core.linear.forward import accumulator_dtype, rows_in_tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from debias_core.linear.backward import TokenConstants
    from debias_core.linear.tiles import Tile


def new_state(num_tokens: int, tile_tokens: int, device: torch.device) -> Tensor:
    """Return the sums of nothing, `[8, 1, N]`: a tile is taken in by one lane."""
    del tile_tokens
    return forward.new_state(1, num_tokens, accumulator_dtype(device), device)


def add_tile_(state: Tensor, tile: Tile, targets: Tensor | None) -> None:
    """Take a tile into the state."""
    row = None if targets is None else targets[tile.tokens] - tile.first_row
    with compiling():
        # one by one: the stride of a slice of all is N, a further size to compile for
        sums = tuple(state[i, 0, tile.tokens] for i in range(len(state)))
        _compiled(_add_)(sums, tile.logits, tile.reference, row)


def to_gradient_(
    tile: Tile, constants: TokenConstants, targets: Tensor | None, per_tanh: float | None
) -> None:
    """Overwrite the logits of a tile with dLoss/du."""
    tokens, given = tile.tokens, constants
    own = given.maximum[tokens], given.per_x[tokens], given.constant[tokens]
    of_reference = of_target = None
    if given.per_difference is not None:
        assert tile.reference is not None
        assert given.ref_maximum is not None
        of_reference = tile.reference, given.ref_maximum[tokens], given.per_difference[tokens]
    if targets is not None and given.at_target is not None:
        of_target = targets[tokens] - tile.first_row, given.at_target[tokens]
    with compiling():
        _compiled(_to_gradient_)(tile.logits, own, of_reference, of_target, per_tanh)


@cache
def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    return torch.compile(function, fullgraph=True, dynamic=True)


def _add_(
    sums: tuple[Tensor, ...], tile_vn: Tensor, ref_vn: Tensor | None, row: Tensor | None
) -> None:
    m, s, e, target, ref_m, ref_s, ref_e, f = sums
    if row is not None:
        row_1n, inside = rows_in_tile(row, tile_vn.shape[0])
        target = target + torch.where(inside, tile_vn.gather(0, row_1n)[0], 0.0)
    new = torch.maximum(m, tile_vn.amax(0))
    shift = m - new
    ratio = shift.exp()
    x = tile_vn - new.to(tile_vn.dtype)
    p = x.exp()
    if ref_vn is not None:
        ref_new = torch.maximum(ref_m, ref_vn.amax(0))
        ref_shift = ref_m - ref_new
        ref_ratio = ref_shift.exp()
        ref_x = ref_vn - ref_new.to(ref_vn.dtype)
        q = ref_x.exp()
        f = (f + s * (shift - ref_shift)) * ratio + (p * (x - ref_x)).sum(0, dtype=s.dtype)
        ref_e = (ref_e + ref_s * ref_shift) * ref_ratio + (q * ref_x).sum(0, dtype=s.dtype)
        ref_m, ref_s = ref_new, ref_s * ref_ratio + q.sum(0, dtype=s.dtype)
    e = (e + s * shift) * ratio + (p * x).sum(0, dtype=s.dtype)
    s = s * ratio + p.sum(0, dtype=s.dtype)
    for kept, value in zip(sums, (new, s, e, target, ref_m, ref_s, ref_e, f), strict=True):
        kept.copy_(value)


def _to_gradient_(
    tile_vn: Tensor,
    own: tuple[Tensor, Tensor, Tensor],
    of_reference: tuple[Tensor, Tensor, Tensor] | None,
    of_target: tuple[Tensor, Tensor] | None,
    per_tanh: float | None,
) -> None:
    maximum, per_x, constant = own
    x = tile_vn - maximum
    factor = constant + per_x * x
    if of_reference is not None:
        ref_vn, ref_maximum, per_difference = of_reference
        factor = factor + per_difference * (x - (ref_vn - ref_maximum))
    gradient = x.exp() * factor
    if of_target is not None:
        row, at_target = of_target
        rows_v1 = torch.arange(tile_vn.shape[0], device=tile_vn.device).unsqueeze(1)
        gradient = gradient + torch.where(rows_v1 == row, at_target, 0.0)
    if per_tanh is not None:
        gradient = gradient * (1.0 - (tile_vn * per_tanh).square())
    tile_vn.copy_(gradient)
