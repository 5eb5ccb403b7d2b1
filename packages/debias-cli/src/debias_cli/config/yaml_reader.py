"""YAML text to plain nodes that know their line and column.

Only the part of YAML that a configuration needs: mappings, sequences, plain and quoted scalars,
aliases. Scalars follow the YAML 1.2 core schema with one widening: `1e-5` and `1.e-5` are
numbers. Refused with their position: tags (`!!python/...`), duplicate keys, merge keys, a second
document, keys that are not scalars, nesting deeper than 64, aliases that point into themselves or
blow the document up, more than 10,000 values, bytes that are not UTF-8, files over 256 KiB.

The events come from ruamel.yaml one by one, so a hostile file is refused before it is scanned to
its end, and nothing here recurses over the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from debias_cli.config.problems import Position, Problem
from debias_cli.errors import ConfigError

MAX_BYTES = 256 * 1024  # a second of ruamel on a slow core
MAX_DEPTH = 64
MAX_NODES = 10_000
MAX_DIGITS = 400  # Python refuses integers of more than 4,300 digits with an error of its own

Scalar: TypeAlias = bool | int | float | str | None
Plain: TypeAlias = Scalar | list["Plain"] | dict[str, "Plain"]

_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NAMED: dict[str, Scalar] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_NAMED |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NAMED |= dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf"))
_NAMED |= {"-.inf": float("-inf"), ".nan": float("nan"), ".NaN": float("nan")}


@dataclass(slots=True)
class ScalarNode:
    """A leaf; `value` is already null, bool, int, float or str."""

    position: Position
    value: Scalar
    size: int = 1


@dataclass(slots=True)
class ListNode:
    """A sequence; `size` counts the nodes below it with aliases written out."""

    position: Position
    items: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class MapNode:
    """A mapping with text keys; `keys` holds where each key stands."""

    position: Position
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1


Node: TypeAlias = ScalarNode | ListNode | MapNode


def to_plain(node: Node) -> Plain:
    """Dictionaries, lists and scalars without positions (depth is bounded by the reader)."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(item) for key, item in node.items.items()}


def copy_node(node: Node, where: Position | None = None) -> Node:
    """The same node that shares nothing with it; `where` replaces every position."""
    position = where or node.position
    if isinstance(node, ScalarNode):
        return ScalarNode(position, node.value, node.size)
    if isinstance(node, ListNode):
        return ListNode(position, [copy_node(item, where) for item in node.items], node.size)
    items = {key: copy_node(item, where) for key, item in node.items.items()}
    keys = dict(node.keys) if where is None else dict.fromkeys(items, where)
    return MapNode(position, items, keys, node.size)


def decode(data: bytes, source: str) -> str:
    """Text of a UTF-8 file, BOM dropped.

    Raises:
        ConfigError: over 256 KiB, or not UTF-8 (with the line and column of the first bad byte).
    """
    if len(data) > MAX_BYTES:
        raise _refuse(Position(source), f"{len(data):,} bytes; a configuration is at most 256 KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        head = data[: error.start]
        line = head.count(b"\n") + 1
        column = error.start - (head.rfind(b"\n") + 1) + 1
        where = Position(source, line, column)
        raise _refuse(where, f"byte 0x{data[error.start]:02x} is not UTF-8") from None


def read_yaml(text: str, source: str) -> Node:
    """The root node of the only document in `text`.

    Raises:
        ConfigError: the text is not YAML, or uses a part of it that is refused here; duplicate
            keys are collected and reported together.
    """
    _check_nesting(text, source)
    builder = _Builder(source)
    for event in _events(text, source):
        builder.take(event)
    if builder.problems:
        raise ConfigError(sorted(builder.problems))
    if builder.root is None:
        raise _refuse(Position(source, 1, 1), "the file is empty")
    return builder.root


def read_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar: `1e-5` is a number, `yes` a text."""
    if text in _NAMED:
        return _NAMED[text]
    if len(text) <= MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text)
        if _HEX.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _refuse(position: Position, message: str) -> ConfigError:
    return ConfigError([Problem(position, "", message)])


def _check_nesting(text: str, source: str) -> None:
    """Refuses deep flow nesting on one line, on which the scanner would look ahead for seconds."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count("[") + line.count("{") <= MAX_DEPTH:
            continue
        depth = 0
        for column, character in enumerate(line, start=1):
            depth += (character in "[{") - (character in "]}")
            if depth > MAX_DEPTH:
                raise _refuse(Position(source, number, column), _TOO_DEEP)


_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"


def _events(text: str, source: str) -> Iterator[Any]:
    """Parse events of ruamel.yaml; its errors become ours with the same position."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 60 ms that `--help` need not pay
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - as above
    from ruamel.yaml.reader import ReaderError  # noqa: PLC0415 - as above

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(source, mark.line + 1, mark.column + 1) if mark else Position(source)
        context = f" {error.context}" if error.context else ""
        raise _refuse(where, f"not YAML: {error.problem}{context}") from None
    except ReaderError as error:
        head = text[: max(error.position, 0)]
        column = len(head) - (head.rfind("\n") + 1) + 1
        where = Position(source, head.count("\n") + 1, column)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"character U+{code:04X} is not allowed in YAML"
        raise _refuse(where, message) from None
    except (YAMLError, ValueError) as error:
        raise _refuse(Position(source), f"not YAML: {error}") from None


@dataclass(slots=True)
class _Frame:
    """A collection that is still open; `key` waits for its value."""

    node: ListNode | MapNode
    anchor: str | None
    key: str | None = None
    key_position: Position | None = None
    duplicate: bool = False


class _Builder:
    """Turns the event stream into nodes with an explicit stack."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._num_documents = 0

    def take(self, event: Any) -> None:
        """Consumes one event."""
        kind = type(event).__name__
        mark = event.start_mark
        where = Position(self.source, mark.line + 1, mark.column + 1)
        if kind == "DocumentStartEvent":
            self._num_documents += 1
            if self._num_documents > 1:
                raise _refuse(where, "a second document begins here; a configuration is one")
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, where)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            frame = self._stack.pop()
            if frame.anchor:
                self._anchors[frame.anchor] = frame.node
            self._add(frame.node, where)
        elif kind == "ScalarEvent":
            self._scalar(event, where)
        elif kind == "AliasEvent":
            if event.anchor not in self._anchors:
                message = f"alias *{event.anchor} points to nothing finished before it"
                raise _refuse(where, message)
            # a copy: a field that is changed in one place must not change in the others
            self._add(self._anchors[event.anchor], where, alias=True)

    def _open(self, event: Any, where: Position) -> None:
        self._refuse_tag(event, where)
        self._refuse_complex_key(where)
        if len(self._stack) >= MAX_DEPTH:
            raise _refuse(where, _TOO_DEEP)
        mapping = type(event).__name__ == "MappingStartEvent"
        node = MapNode(where) if mapping else ListNode(where)
        self._stack.append(_Frame(node, event.anchor))

    def _scalar(self, event: Any, where: Position) -> None:
        self._refuse_tag(event, where)
        value = read_scalar(event.value) if event.implicit[0] else event.value
        frame = self._stack[-1] if self._stack else None
        if frame and isinstance(frame.node, MapNode) and frame.key is None:
            self._key(frame, event.value, where)
            return
        if event.value == "" and event.implicit[0] and frame and frame.key_position:
            where = frame.key_position  # nothing is written: the key is what a reader finds
        node = ScalarNode(where, value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node, where)

    def _key(self, frame: _Frame, text: str, where: Position) -> None:
        assert isinstance(frame.node, MapNode)
        if text == "<<":
            raise _refuse(where, "merge keys (<<) are not supported; write the fields out")
        frame.key, frame.key_position = text, where
        first = frame.node.keys.get(text)
        frame.duplicate = first is not None
        if first is not None:
            message = f"key '{text}' stands here a second time (first in line {first.line})"
            self.problems.append(Problem(where, self._path(), message))

    def _add(self, node: Node, where: Position, *, alias: bool = False) -> None:
        """Puts a finished node into the collection that is open."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.node.size += node.size
        if frame.node.size > MAX_NODES:
            raise _refuse(where, f"more than {MAX_NODES:,} values, aliases written out")
        if alias:
            node = copy_node(node)
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
            return
        if frame.key is None:
            raise _refuse(where, "an alias, a list or a mapping cannot be a key")
        if not frame.duplicate:
            frame.node.items[frame.key] = node
            frame.node.keys[frame.key] = frame.key_position or where
        frame.key = None

    def _refuse_complex_key(self, where: Position) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame and isinstance(frame.node, MapNode) and frame.key is None:
            raise _refuse(where, "an alias, a list or a mapping cannot be a key")

    def _refuse_tag(self, event: Any, where: Position) -> None:
        # ruamel gives quoted scalars no tag and explicit ones theirs, also the bare `!`
        tag = str(event.tag) if event.tag is not None else ""
        if tag not in ("", "None"):
            raise _refuse(where, f"tag {tag!r} is refused; a configuration is plain values")

    def _path(self) -> str:
        parts: list[str] = []
        for frame in self._stack:
            if isinstance(frame.node, ListNode):
                parts.append(str(len(frame.node.items)))
            elif frame.key is not None:
                parts.append(frame.key)
        return ".".join(parts)
