"""The KV cache of a batch whose rows come and go.

Prompts are padded on the left, so all rows write their next key into the same column. Rows of
another batch join by padding the narrower cache on the left; columns that belong to no row any more
are cut off. Only caches that keep every column can do that: a sliding window, a linear layer or a
quantised layer has no such columns, and their batches are answered to the end before the next.

Shape suffixes: B rows, T columns of the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import Cache


def mergeable(cache: Cache) -> bool:
    """Returns whether rows can join the cache: all its layers keep every column."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def compact(cache: Cache, rows: Tensor, mask: Tensor) -> int:
    """Leaves out all other rows, and the first columns that belong to none of them.

    Args:
        cache: changed in place.
        rows: indices of those that stay.
        mask: [B, T+1] of those that stay.

    Returns:
        How many columns were cut off; 0 where the cache does not keep every column.
    """
    cache.batch_select_indices(rows)
    if not mergeable(cache):
        return 0
    unused = int(mask.argmax(-1).min())
    for layer in _layers(cache) if unused else ():
        layer.keys, layer.values = layer.keys[:, :, unused:], layer.values[:, :, unused:]
    return unused


def merge(cache: Cache, mask: Tensor, new: Cache, new_mask: Tensor) -> Tensor:
    """Adds the rows of `new` to `cache`, and returns the mask of both, [B + B', max T + 1]."""
    width = max(mask.shape[1], new_mask.shape[1])
    for layer, other in zip(_layers(cache), _layers(new), strict=True):
        layer.keys = torch.cat([_widen(layer.keys, width - 1), _widen(other.keys, width - 1)])
        layer.values = torch.cat([_widen(layer.values, width - 1), _widen(other.values, width - 1)])
    return torch.cat([F.pad(m, (width - m.shape[1], 0)) for m in (mask, new_mask)])


def _layers(cache: Cache) -> list[Any]:
    # Any: keys and values of a layer that was written to are tensors, its annotation says or None
    return [
        layer for layer in cache.layers if isinstance(layer, DynamicLayer) and layer.is_initialized
    ]


def _widen(states: Tensor, width: int) -> Tensor:
    return F.pad(states, (0, 0, width - states.shape[2], 0))
