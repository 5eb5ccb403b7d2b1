"""Objectives that other packages bring, by entry points of the group `debias_core.objectives`.

An entry point names a function of the sample entropies, like those of `debias_core.objectives`:

    def median_gap(entropies, groups, *, pairs, **options) -> Tensor: ...

`entropies` [n] in nats, `groups` and `pairs` [n] indices; the loss is a scalar, differentiable in
the entropies. `{kind: plugin, name: median_gap, options: {}}` trains on it, with the same anchors
and exact gradient as the built-in ones. One that cannot be imported is reported and left out.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Protocol

from torch import Tensor

from debias_core.errors import ConfigError

logger = logging.getLogger(__name__)

GROUP = "debias_core.objectives"

Option = str | int | float | bool


class PluginObjective(Protocol):
    """A loss of the sample entropies of the effective batch."""

    def __call__(
        self, entropies: Tensor, groups: Tensor, *, pairs: Tensor, **options: Option
    ) -> Tensor:
        """Returns the loss, a scalar."""
        ...


def plugin_objectives() -> dict[str, PluginObjective]:
    """Returns every objective that loads, by name; broken ones are logged and left out."""
    found: dict[str, PluginObjective] = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = point.load()
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            logger.warning(
                "the objective %r (%s) cannot be loaded and is left out: %s: %s",
                point.name,
                point.value,
                type(error).__name__,
                error,
            )
    return found


def load_objective(name: str, options: Mapping[str, Option]) -> PluginObjective:
    """Returns the objective of that name with its options filled in.

    Raises:
        ConfigError: no installed package brings it, or it cannot be imported.
    """
    known = plugin_objectives()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"no installed package brings the objective {name!r}; there are {sorted(known)}{hint}"
        )
    objective = known[name]

    def filled(entropies: Tensor, groups: Tensor, *, pairs: Tensor, **more: Option) -> Tensor:
        return objective(entropies, groups, pairs=pairs, **{**options, **more})

    return filled
