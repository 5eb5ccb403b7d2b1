"""`${NAME}` and `${NAME:-default}` in values: replaced when the file is used, never when saved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from debias_cli.config.problems import Position, Problem
from debias_cli.config.yaml_reader import ListNode, MapNode, Node, Plain, ScalarNode, read_scalar

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")


Path: TypeAlias = tuple[str | int, ...]


def expand(node: Node, environment: Mapping[str, str]) -> tuple[Node, list[Problem]]:
    """A copy with every reference replaced, and a problem for each variable that is not set.

    A value that becomes a number or true/false by the replacement is one.
    """
    expander = _Expander(environment)
    return expander.expand(node, ()), expander.problems


class _Expander:
    """Replaces references, and collects the variables that are not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._environment = environment

    def expand(self, node: Node, path: Path) -> Node:
        """The node with everything below it expanded; `path` is where it stands."""
        if isinstance(node, ListNode):
            items = [self.expand(item, (*path, index)) for index, item in enumerate(node.items)]
            return ListNode(node.position, items)
        if isinstance(node, MapNode):
            pairs = {key: self.expand(item, (*path, key)) for key, item in node.items.items()}
            return MapNode(node.position, pairs, node.keys)
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        text = _REFERENCE.sub(lambda match: self._value(match, node.position, path), node.value)
        return node if text == node.value else ScalarNode(node.position, read_scalar(text))

    def _value(self, match: re.Match[str], where: Position, path: Path) -> str:
        name, default = match.group(1), match.group(2)
        found = self._environment.get(name) or default
        if found is not None:
            return found
        hint = f"set it or write ${{{name}:-DEFAULT}}"
        message = f"environment variable {name} is not set; {hint}"
        self.problems.append(Problem(where, ".".join(map(str, path)), message))
        return match.group(0)


def references(node: Node, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Path and text of every value that holds a reference."""
    if isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from references(item, (*path, index))
    elif isinstance(node, MapNode):
        for key, item in node.items.items():
            yield from references(item, (*path, key))
    elif isinstance(node.value, str) and _REFERENCE.search(node.value):
        yield path, node.value


def put_back(plain: Plain, node: Node) -> None:
    """Writes the unexpanded texts of `node` over the expanded values in `plain`, in place."""
    for path, text in references(node):
        target = plain
        for part in path[:-1]:
            target = target[part]  # type: ignore[index] # the paths are those of the same tree
        target[path[-1]] = text  # type: ignore[index] # as above
