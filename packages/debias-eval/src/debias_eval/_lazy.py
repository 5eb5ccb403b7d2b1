"""Names that a package offers without importing the modules they live in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Returns a module `__getattr__` (PEP 562) that imports a name's home on first use.

    Args:
        package: `__name__` of the package.
        homes: the submodule of each name, relative to the package.
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return find
