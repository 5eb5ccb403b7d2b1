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
