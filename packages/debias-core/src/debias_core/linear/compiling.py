"""What `torch.compile` can make of the output layer's passes, and what is said where it cannot."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from debias_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_KINDS = 128
"""Of inputs that a function is compiled for: with and without targets, reference and softcap, in
two dtypes, and anew where sizes are 1 or equal by chance. With torch's 8 those would end a run."""


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """A context in which compiled functions are called.

    Raises:
        ConfigError: torch cannot compile here.
    """
    try:
        with torch._dynamo.config.patch(recompile_limit=_MOST_KINDS):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"torch.compile does not work here ({reason}); it needs a C++ compiler on a CPU and "
            "Triton on a GPU. Install that, or leave `compile_head` at 'none'"
        ) from error
