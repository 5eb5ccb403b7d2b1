"""A registry of named things: a decorator for our own, entry points for everybody else's.

A broken plug-in is reported and skipped; it never takes the command down.
"""

from __future__ import annotations

import importlib
import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from debias_eval.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Registry"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Registry(Generic[_T]):
    """Names to values, each loaded when it is asked for.

    Args:
        what: What is registered, for messages ("task").
        group: The entry-point group of plug-ins.
        builtin: Own names to the module that registers them when imported.
    """

    def __init__(self, what: str, group: str, builtin: Mapping[str, str]) -> None:
        self._what = what
        self._group = group
        self._builtin = dict(builtin)
        self._values: dict[str, _T] = {}
        self.broken: dict[str, str] = {}

    def register(self, name: str) -> Callable[[_T], _T]:
        """Return a decorator that files its argument under ``name``."""

        def file(value: _T) -> _T:
            self._values[name] = value
            return value

        return file

    def names(self) -> list[str]:
        """Return every known name, plug-ins that failed to load left out."""
        plugins = {point.name for point in entry_points(group=self._group)}
        return sorted((set(self._builtin) | plugins | set(self._values)) - set(self.broken))

    def __contains__(self, name: str) -> bool:
        """Whether ``names`` has it; plug-ins are looked for only where the name is not ours."""
        if name in self.broken:
            return False
        own = name in self._builtin or name in self._values
        return own or bool(entry_points(group=self._group, name=name))

    def get(self, name: str) -> _T:
        """Return what is filed under ``name``.

        Raises:
            UnknownNameError: Nothing is; the message names the nearest.
        """
        if name not in self._values and name in self._builtin:
            importlib.import_module(self._builtin[name])
        if name not in self._values:
            self._load_plugin(name)
        if name not in self._values:
            raise UnknownNameError(self._what, name, self.names())
        return self._values[name]

    def _load_plugin(self, name: str) -> None:
        for point in entry_points(group=self._group, name=name):
            try:
                self._values[name] = cast("_T", point.load())
            except Exception as error:  # noqa: BLE001 - foreign code may raise anything
                self.broken[name] = f"{type(error).__name__}: {error}"
                _log.warning(
                    "plug-in %s %r (%s) is skipped: %s", self._what, name, point.value, error
                )
