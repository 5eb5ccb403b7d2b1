"""What `linear_token_entropy` refuses before any work is done."""

from __future__ import annotations

import math

from torch import Tensor

from debias_core.errors import ConfigError, DataError
from debias_core.linear.tiles import LogitTransform


def check_transform(
    temperature: float, softcap: float | None, scale: float | None
) -> LogitTransform:
    """Return the transform of the raw logits.

    Raises:
        ConfigError: a value is not a positive number.
    """
    for name, value in (("temperature", temperature), ("softcap", softcap), ("scale", scale)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} must be a positive number, not {value!r}")
    return LogitTransform(
        temperature=temperature, softcap=softcap, scale=1.0 if scale is None else scale
    )


def check_vocab_size(vocab_size: int | None, weight: Tensor) -> int:
    """Return how many rows of the matrix take part.

    Raises:
        ConfigError: there are not that many rows, or none.
    """
    num_rows = weight.shape[0] if vocab_size is None else vocab_size
    if not 0 < num_rows <= weight.shape[0]:
        raise ConfigError(
            f"vocab_size must be between 1 and the {weight.shape[0]} rows of weight, not {num_rows}"
        )
    return num_rows


def check_layer(prefix: str, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Check that states, matrix and bias fit together; `prefix` is that of their names.

    Raises:
        DataError: a shape, device or dtype does not fit.
    """
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise DataError(
            f"{prefix}hidden must be [N, D] and {prefix}weight [V, D], "
            f"not {list(hidden.shape)} and {list(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise DataError(
            f"{prefix}bias must be [{weight.shape[0]}], one per row of {prefix}weight, "
            f"not {list(bias.shape)}"
        )
    for name, tensor in (("hidden", hidden), ("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if not tensor.is_floating_point():
            raise DataError(f"{prefix}{name} must be floating point, not {tensor.dtype}")
        if tensor.device != hidden.device:
            raise DataError(
                f"{prefix}{name} is on {tensor.device}, {prefix}hidden is on {hidden.device}"
            )


def check_reference(
    ref_hidden: Tensor, ref_weight: Tensor, *, hidden: Tensor, num_rows: int
) -> None:
    """Check that the reference speaks of the same tokens and the same vocabulary.

    Raises:
        DataError: it does not.
    """
    if ref_hidden.shape[0] != hidden.shape[0]:
        raise DataError(
            f"ref_hidden has {ref_hidden.shape[0]} tokens, hidden has {hidden.shape[0]}"
        )
    if ref_weight.shape[0] < num_rows:
        raise DataError(
            f"ref_weight has {ref_weight.shape[0]} rows, fewer than the vocabulary of {num_rows}"
        )
    if ref_hidden.device != hidden.device:
        raise DataError(f"ref_hidden is on {ref_hidden.device}, hidden is on {hidden.device}")


def check_targets(targets: Tensor, *, hidden: Tensor, num_rows: int) -> None:
    """Check that there is one target a token, each a row of the vocabulary.

    Raises:
        DataError: there is not.
    """
    if targets.shape != hidden.shape[:1] or targets.is_floating_point():
        raise DataError(
            f"targets must be [{hidden.shape[0]}] integers, "
            f"not {list(targets.shape)} of {targets.dtype}"
        )
    if targets.device != hidden.device:
        raise DataError(f"targets are on {targets.device}, hidden is on {hidden.device}")
    if targets.numel() == 0:
        return
    smallest, largest = (int(bound) for bound in targets.aminmax())
    if smallest < 0 or largest >= num_rows:
        raise DataError(
            f"targets must lie in [0, {num_rows}), not in [{smallest}, {largest}]; "
            "leave prompt and padding out before the call"
        )
