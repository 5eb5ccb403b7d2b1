"""`--set a.b=c`: one field of the configuration, changed through the same checks as the file."""

from __future__ import annotations

import re

from pydantic import JsonValue

from debias_cli.config.problems import Position, Problem, shorten
from debias_cli.config.yaml_reader import (
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    copy_node,
    read_yaml,
)
from debias_cli.errors import ConfigError

_PART = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MAX_PARTS = 20


def apply_override(root: MapNode, text: str) -> None:
    """Changes `root` in place; `text` is `path=value` with the value written as in YAML.

    Mappings on the way are made when they are missing; a list takes an index that exists, or one
    past its end to append.

    Raises:
        ConfigError: no `=`, a path that leads through a scalar, an index outside of the list, or
            a value that is not YAML.
    """
    path, equals, value = text.partition("=")
    where = Position("--set")
    parts = path.strip().split(".")
    if not equals or len(parts) > _MAX_PARTS or not all(map(_PART.fullmatch, parts)):
        message = f"{shorten(text)}: write it as section.field=value"
        raise ConfigError([Problem(where, "", message)])
    path = path.strip()
    _put_at(root, path, _read_value(value, path))


def put_value(root: MapNode, path: str, value: JsonValue) -> None:
    """Changes `root` in place: sets the field under a dotted path to a plain value.

    Raises:
        ConfigError: a path that leads through a scalar, or an index outside of the list.
    """
    _put_at(root, path, _node_of(value))


def _put_at(root: MapNode, path: str, node: Node) -> None:
    where, parts = Position("--set"), path.split(".")
    parent: Node = root
    for index, part in enumerate(parts[:-1]):
        below = _child(parent, part, path)
        if below is None or (isinstance(below, ScalarNode) and below.value is None):
            below = MapNode(where)
            _put(parent, part, below, path)
        if isinstance(below, ScalarNode):
            message = f"'{'.'.join(parts[: index + 1])}' is a value and has no fields"
            raise ConfigError([Problem(where, path, message)])
        parent = below
    _put(parent, parts[-1], node, path)


def _node_of(value: JsonValue) -> Node:
    where = Position("--set")
    if isinstance(value, list):
        return ListNode(where, [_node_of(item) for item in value])
    if isinstance(value, dict):
        items = {key: _node_of(item) for key, item in value.items()}
        return MapNode(where, items, dict.fromkeys(items, where))
    return ScalarNode(where, value)


def _read_value(value: str, path: str) -> Node:
    where = Position("--set")
    if not value.strip():
        return ScalarNode(where, None)
    try:
        return copy_node(read_yaml(value, "--set"), where)
    except ConfigError as error:
        problems = [Problem(where, path, problem.message) for problem in error.problems]
        raise ConfigError(problems) from None


def _child(parent: Node, part: str, path: str) -> Node | None:
    if isinstance(parent, MapNode):
        return parent.items.get(part)
    if isinstance(parent, ListNode):
        index = _index(parent, part, path)
        return parent.items[index] if index < len(parent.items) else None
    return None


def _put(parent: Node, part: str, node: Node, path: str) -> None:
    if isinstance(parent, MapNode):
        parent.items[part] = node
        parent.keys[part] = Position("--set")
    elif isinstance(parent, ListNode):
        index = _index(parent, part, path)
        parent.items[index : index + 1] = [node]


def _index(parent: ListNode, part: str, path: str) -> int:
    if not part.isdecimal() or int(part) > len(parent.items):
        message = f"'{part}' is no index of a list of {len(parent.items)}"
        raise ConfigError([Problem(Position("--set"), path, message)])
    return int(part)
