"""debias-core: losses, exact gradients and the trainer that closes a language model's entropy gap.

Names are resolved on first use, so that `import debias_core` never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_core import objectives
    from debias_core.config import PromptFormat, TrainConfig
    from debias_core.errors import DebiasCoreError
    from debias_core.linear import TokenStats, linear_token_entropy
    from debias_core.scoring.entropy import token_entropy
    from debias_core.training.progress import TrainResult
    from debias_core.training.trainer import DebiasTrainer

__version__ = "0.1.0"

_HOME = {
    "DebiasCoreError": "debias_core.errors",
    "DebiasTrainer": "debias_core.training.trainer",
    "PromptFormat": "debias_core.config",
    "TokenStats": "debias_core.linear",
    "TrainConfig": "debias_core.config",
    "TrainResult": "debias_core.training.progress",
    "linear_token_entropy": "debias_core.linear",
    "token_entropy": "debias_core.scoring.entropy",
}

__all__ = [
    "DebiasCoreError",
    "DebiasTrainer",
    "PromptFormat",
    "TokenStats",
    "TrainConfig",
    "TrainResult",
    "linear_token_entropy",
    "objectives",
    "token_entropy",
]


def __getattr__(name: str) -> object:
    if name == "objectives":
        return importlib.import_module("debias_core.objectives")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'debias_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
