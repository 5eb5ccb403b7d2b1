"""Back ends by name; other packages add theirs under the entry-point group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from debias_eval.backends.base import Backend, BackendSettings
from debias_eval.plugins import Registry

__all__ = ["BackendFactory", "backends", "open_backend"]

BackendFactory: TypeAlias = Callable[[str, BackendSettings], Backend]

backends: Registry[BackendFactory] = Registry(
    "back end",
    "debias_eval.backends",
    {
        "openai": "debias_eval.backends.openai_http",
        "transformers": "debias_eval.backends.transformers_backend",
        "recorded": "debias_eval.backends.recorded",
        "vllm": "debias_eval.backends.vllm_backend",
    },
)


def open_backend(name: str, model: str | Path, settings: BackendSettings | None = None) -> Backend:
    """Return the back end ``name`` with ``model`` loaded.

    Raises:
        UnknownNameError: No such back end.
        ModelError: The model is refused.
        MissingError: The model or a package is not there.
    """
    return backends.get(name)(str(model), settings or BackendSettings())
