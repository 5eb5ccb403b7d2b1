"""Starts the kernels that take the passes over a tile in torch's place.

In torch, what `forward` and `backward` do to a tile is some ten passes, each a kernel that reads or
writes all of it; on a GPU they take longer than the product that made the tile. Here they are one
kernel a tile. The tile itself comes from the same product, in float32.

The sums of a strip of rows are carried from tile to tile in float32, in a lane of their own; lanes
are merged once, at the end, in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
from torch import Tensor

from debias_core.linear import forward
from debias_core.linear.kernels import add_tile, to_gradient

if TYPE_CHECKING:
    from debias_core.linear.backward import TokenConstants
    from debias_core.linear.tiles import Tile

_ROWS = 16  # of a program at a time: with a reference 96 registers a thread and nothing spilt
_TOKENS = 128
_PROGRAMS = 512  # a few for every processor of a GPU, where a tile has so many strips
_MOST_LANES = 32


def new_state(num_tokens: int, tile_tokens: int, device: torch.device) -> Tensor:
    """Return the sums of nothing, `[8, lanes, N]` float32.

    Args:
        num_tokens: N.
        tile_tokens: of a tile; the fewer there are, the more lanes keep a GPU busy.
        device: of the tiles.
    """
    blocks = triton.cdiv(tile_tokens, _TOKENS)
    lanes = max(1, min(_MOST_LANES, _PROGRAMS // blocks))
    return forward.new_state(lanes, num_tokens, torch.float32, device)


def add_tile_(state: Tensor, tile: Tile, targets: Tensor | None) -> None:
    """Take a tile into the state.

    Args:
        state: as `new_state` makes it.
        tile: contiguous.
        targets: `[N]` int64, or None.
    """
    rows, width = tile.logits.shape
    _, lanes, num_tokens = state.shape
    kernel = add_tile[triton.cdiv(width, _TOKENS), lanes]
    with torch.cuda.device_of(tile.logits):  # type: ignore[no-untyped-call] # Triton uses the current one
        kernel(
            state,
            tile.logits,
            _or_any(tile.reference, tile.logits),
            _or_any(targets, state),
            tile.tokens.start,
            num_tokens,
            tile.first_row,
            rows,
            width,
            triton.cdiv(triton.cdiv(rows, lanes), _ROWS) * _ROWS,
            lanes,
            HAS_REFERENCE=tile.reference is not None,
            HAS_TARGETS=targets is not None,
            ROWS=_ROWS,
            TOKENS=_TOKENS,
        )


def to_gradient_(
    tile: Tile, constants: TokenConstants, targets: Tensor | None, per_tanh: float | None
) -> None:
    """Overwrite the logits of a tile with dLoss/du.

    Args:
        tile: contiguous; its reference is used where `constants` know of one.
        constants: of every token.
        targets: `[N]` int64, or None.
        per_tanh: what a logit is multiplied by to give the tanh that bounds it; None: no bound.
    """
    rows, width = tile.logits.shape
    has_targets = targets is not None and constants.at_target is not None
    any_of_tokens = constants.maximum
    kernel = to_gradient[triton.cdiv(rows, _ROWS), triton.cdiv(width, _TOKENS)]
    with torch.cuda.device_of(tile.logits):  # type: ignore[no-untyped-call] # Triton uses the current one
        kernel(
            tile.logits,
            _or_any(tile.reference, tile.logits),
            constants.maximum,
            _or_any(constants.ref_maximum, any_of_tokens),
            constants.per_x,
            _or_any(constants.per_difference, any_of_tokens),
            constants.constant,
            _or_any(constants.at_target, any_of_tokens),
            _or_any(targets, any_of_tokens),
            tile.tokens.start,
            tile.first_row,
            rows,
            width,
            0.0 if per_tanh is None else per_tanh,
            HAS_REFERENCE=tile.reference is not None,
            HAS_TARGETS=has_targets,
            IS_BOUNDED=per_tanh is not None,
            ROWS=_ROWS,
            TOKENS=_TOKENS,
        )


def _or_any(tensor: Tensor | None, other: Tensor) -> Tensor:
    """Return the tensor; where there is none, another one that the kernel does not look at."""
    return other if tensor is None else tensor
