"""The pipeline and its command: data, baseline, training, evaluation, comparison, report.

`load_config` reads a configuration, `run_pipeline` runs it; both are what `debias-cli` itself uses.
Importing this package imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_cli.config.load import LoadedConfig, load_config
    from debias_cli.config.tree import PipelineConfig
    from debias_cli.errors import DebiasCliError
    from debias_cli.stages.runner import RunSummary, run_pipeline

__version__ = "0.1.0"

__all__ = [
    "DebiasCliError",
    "LoadedConfig",
    "PipelineConfig",
    "RunSummary",
    "load_config",
    "run_pipeline",
]

_HOMES = {
    "DebiasCliError": "errors",
    "LoadedConfig": "config.load",
    "PipelineConfig": "config.tree",
    "RunSummary": "stages.runner",
    "load_config": "config.load",
    "run_pipeline": "stages.runner",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
