"""Where problems come from: one module a source, found by name through the registry."""

from debias_data.sources.base import (
    Item,
    Pair,
    Problem,
    Prompt,
    Skipped,
    get_reader,
    register,
    source_names,
)

__all__ = [
    "Item",
    "Pair",
    "Problem",
    "Prompt",
    "Skipped",
    "get_reader",
    "register",
    "source_names",
]
