"""YAML as data only: `1e-5` is a number, a duplicate key is an error, tags and anchors are refused.

Anchors are refused altogether because a dozen nested ones expand to gigabytes.
"""

# ruff: noqa: PLC0415 - heavy, and not every user of this module needs it

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from debias_data.errors import BadConfigError
from debias_data.files import require_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.nodes import Node

MAX_BYTES = 1 << 20

Yaml: TypeAlias = "bool | int | float | str | list[Yaml] | dict[str, Yaml] | None"


def load_yaml(path: Path) -> dict[str, Yaml]:
    """The mapping in a YAML file.

    Raises:
        BadConfigError: it is no mapping, is larger than 1 MiB, or holds what is refused; the
            message begins with `FILE:LINE:COLUMN`.
        MissingInputError: there is no such file.
    """
    data = require_file(path).read_bytes()
    if len(data) > MAX_BYTES:
        raise BadConfigError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfigError(f"{path}: invalid UTF-8 at byte {error.start}") from error
    return parse_yaml(text, name=str(path))


def parse_yaml(text: str, *, name: str = "<text>") -> dict[str, Yaml]:
    """The mapping in YAML text; `name` begins the messages.

    Raises:
        BadConfigError: as in `load_yaml`.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.events import AliasEvent

    reader = YAML(typ="safe", pure=True)
    try:
        for event in reader.parse(text):
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise BadConfigError(f"{name}:{_place(event.start_mark)} anchors are not allowed")
        node = reader.compose(text)
        if node is not None:
            for child in _walk(node):
                tag = child.tag or ""
                if not tag.startswith("tag:yaml.org,2002:") or "python" in tag:
                    raise BadConfigError(
                        f"{name}:{_place(child.start_mark)} the tag {tag!r} is not allowed"
                    )
        value = reader.load(text)
    except MarkedYAMLError as error:
        place = _place(error.problem_mark) if error.problem_mark else "1:1"
        raise BadConfigError(f"{name}:{place} {_first_line(error.problem)}") from error
    except YAMLError as error:
        raise BadConfigError(f"{name}: {_first_line(str(error))}") from error
    except RecursionError as error:
        raise BadConfigError(f"{name}: nested too deeply") from error
    if not isinstance(value, dict):
        raise BadConfigError(f"{name}:1:1 expected a mapping of fields")
    return value


def _walk(node: Node) -> Iterator[Node]:
    yield node
    children = node.value if isinstance(node.value, list) else []
    for child in children:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _walk(part)


def _place(mark: object) -> str:
    return f"{getattr(mark, 'line', 0) + 1}:{getattr(mark, 'column', 0) + 1}"


def _first_line(text: str | None) -> str:
    return (text or "invalid YAML").strip().splitlines()[0]
