"""What every config asks of its own values, in the same words."""

from __future__ import annotations

import math

from debias_core.errors import ConfigError


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads like assert
    """Raises a ConfigError with the message where the condition does not hold."""
    if not condition:
        raise ConfigError(message)


def check_positive(owner: object, *names: str) -> None:
    """Raises a ConfigError for the first named field that is no positive number."""
    for name in names:
        value = getattr(owner, name)
        require(
            math.isfinite(value) and value > 0, f"{name} must be a positive number, not {value!r}"
        )


def check_not_negative(owner: object, *names: str) -> None:
    """Raises a ConfigError for the first named field that is no number of 0 or more."""
    for name in names:
        value = getattr(owner, name)
        require(math.isfinite(value) and value >= 0, f"{name} must be 0 or more, not {value!r}")


def check_trained_dtype(dtype: str) -> None:
    """Raises a ConfigError where weights of this type would round the updates of a step away."""
    require(
        dtype in {"float32", "float64"},
        f"weights in {dtype} cannot be trained: most updates are smaller than the steps between "
        "its numbers, and would be rounded away. Set dtype to float32, and mixed_precision to bf16 "
        "to compute in bfloat16 all the same, or train an adapter (lora)",
    )
