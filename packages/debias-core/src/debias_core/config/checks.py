"""What every config asks of its own values, in the same words."""

from __future__ import annotations

import math
from typing import Literal, get_args

from debias_core.errors import ConfigError

CompileHead = Literal["none", "tiles", "logits"]
"""What `torch.compile` is given: nothing, the passes over tiles of logits, or those over all."""


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


def check_compile_head(compile_head: str) -> None:
    """Raises a ConfigError where it is no way of compiling the output layer."""
    known = get_args(CompileHead)
    require(
        compile_head in known,
        f"compile_head must be one of {', '.join(map(repr, known))}, not {compile_head!r}",
    )
