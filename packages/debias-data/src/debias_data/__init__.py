"""Gender labels, counterfactual pairs and balanced data sets for debiasing language models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_data.builder import build as build
    from debias_data.builder import build_to as build_to
    from debias_data.config import BuildConfig as BuildConfig
    from debias_data.errors import DebiasDataError as DebiasDataError
    from debias_data.gender.labelling import label as label
    from debias_data.gender.marking import mark as mark
    from debias_data.gender.swapping import swap as swap
    from debias_data.gender.types import Label as Label
    from debias_data.gender.types import MarkResult as MarkResult
    from debias_data.gender.types import Refusal as Refusal
    from debias_data.gender.types import Span as Span
    from debias_data.gender.types import SwapResult as SwapResult
    from debias_data.table import PairTable as PairTable
    from debias_data.table import read_pairs as read_pairs

__version__ = "0.1.0"

_HOMES = {
    "BuildConfig": "config",
    "DebiasDataError": "errors",
    "Label": "gender.types",
    "MarkResult": "gender.types",
    "PairTable": "table",
    "Refusal": "gender.types",
    "Span": "gender.types",
    "SwapResult": "gender.types",
    "build": "builder",
    "build_to": "builder",
    "label": "gender.labelling",
    "mark": "gender.marking",
    "read_pairs": "table",
    "swap": "gender.swapping",
}

__all__ = [
    "BuildConfig",
    "DebiasDataError",
    "Label",
    "MarkResult",
    "PairTable",
    "Refusal",
    "Span",
    "SwapResult",
    "__version__",
    "build",
    "build_to",
    "label",
    "mark",
    "read_pairs",
    "swap",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
