"""From a YAML file and `--set` overrides to a checked configuration, or to all errors at once."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from debias_cli.config.environment import expand, put_back
from debias_cli.config.messages import explain
from debias_cli.config.model import TESTBED
from debias_cli.config.overrides import apply_override, put_value
from debias_cli.config.problems import Position, Problem
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import (
    MAX_BYTES,
    ListNode,
    MapNode,
    Node,
    Plain,
    copy_node,
    decode,
    read_yaml,
    to_plain,
)
from debias_cli.errors import ConfigError, MissingError

TESTBED_PREFIX = "testbed:"
_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Origin:
    """A file after its overrides, what its relative paths refer to, and the environment."""

    root: MapNode
    base: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A checked configuration.

    Attributes:
        config: the tree, environment references replaced, paths absolute.
        saved: the same as plain values with every default written out, and with environment
            references as they stand in the file; what a run folder keeps.
        source: where it was read from, for messages.
        origin: what it was made from, so that `derive` can change fields of it.
    """

    config: PipelineConfig
    saved: dict[str, Plain]
    source: str
    origin: Origin = field(repr=False, compare=False)

    def position(self, path: str) -> Position:
        """Where the file has the value under a dotted path, or what is nearest to it."""
        parts = tuple(int(part) if part.isdecimal() else part for part in path.split("."))
        return locate(self.origin.root, parts)[0]


def load_config(
    path: Path, *, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> LoadedConfig:
    """The configuration in a YAML file; its relative paths are relative to the file's folder.

    Raises:
        MissingError: there is no such file.
        ConfigError: with every problem that was found.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "no such file"
        raise MissingError(f"{path}: {what}; `debias-cli init` writes one")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return parse_config(
        decode(data, str(path)),
        source=str(path),
        base=path.resolve().parent,
        overrides=overrides,
        environment=environment,
    )


def parse_config(
    text: str,
    *,
    source: str,
    base: Path,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> LoadedConfig:
    """The configuration in YAML text; relative input paths are relative to `base`.

    Raises:
        ConfigError: with every problem that was found.
    """
    root = read_yaml(text, source)
    if not isinstance(root, MapNode):
        message = "a configuration is a mapping of sections (model, data, train, …)"
        raise ConfigError([Problem(root.position, "", message)])
    _apply_all(root, overrides)
    origin = Origin(root, base, os.environ if environment is None else environment)
    loaded = _checked(origin, source)
    if loaded.config.sweep is not None:
        from debias_cli.config.points import check_points  # noqa: PLC0415 - a cycle

        check_points(loaded)
    return loaded


def derive(loaded: LoadedConfig, values: Mapping[str, JsonValue]) -> LoadedConfig:
    """The same configuration without its sweep, with some fields changed, by dotted path.

    Raises:
        ConfigError: a path leads nowhere, or a value is not allowed.
    """
    whole = loaded.origin.root
    items = {key: copy_node(item) for key, item in whole.items.items() if key != "sweep"}
    root = MapNode(whole.position, items, dict(whole.keys), whole.size)
    for path, value in values.items():
        put_value(root, path, value)
    return _checked(replace(loaded.origin, root=root), loaded.source)


def _checked(origin: Origin, source: str) -> LoadedConfig:
    expanded, problems = expand(origin.root, origin.environment)
    config = _absolute(_validate(expanded, problems), origin.base)
    saved: dict[str, Plain] = config.model_dump(mode="json", by_alias=True)
    put_back(saved, origin.root)
    return LoadedConfig(config, saved, source, origin)


def _apply_all(root: MapNode, overrides: Sequence[str]) -> None:
    problems: list[Problem] = []
    for override in overrides:
        try:
            apply_override(root, override)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)


def _validate(root: Node, problems: list[Problem]) -> PipelineConfig:
    # JSON mode: strict, and yet lists become tuples and texts become paths
    text = json.dumps(to_plain(root))
    try:
        config = PipelineConfig.model_validate_json(text, strict=True)
    except ValidationError as error:
        schema = _schema()
        errors = error.errors(include_url=False)
        found = [_problem(item, root, schema) for item in errors if not _follows(item, errors)]
        unset = {problem.position for problem in problems}
        problems += [problem for problem in found if problem.position not in unset]
    if problems:
        raise ConfigError(sorted(set(problems)))
    return config


@functools.cache
def _schema() -> dict[str, Any]:
    return PipelineConfig.model_json_schema()


def _follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether a list is only "too short" because items of it are themselves wrong."""
    location = error["loc"]
    return error["type"] == "too_short" and any(
        len(other["loc"]) > len(location) and other["loc"][: len(location)] == location
        for other in errors
    )


def _problem(error: ErrorDetails, root: Node, schema: Mapping[str, Any]) -> Problem:
    location = error["loc"]
    if error["type"] == "union_tag_invalid":  # found at the union, written at its tag
        location = (*location, error["ctx"]["discriminator"].strip("'"))
    position, path = locate(root, location, at_key=error["type"] == "extra_forbidden")
    return Problem(position, path, explain(error, schema))


def locate(
    root: Node, location: tuple[str | int, ...], *, at_key: bool = False
) -> tuple[Position, str]:
    """Position and dotted path of a pydantic location.

    Union tags, which pydantic puts into a location and which stand nowhere in the file, are left
    out. A field that is not in the file is located at the mapping that lacks it, a mapping or a
    list at its key, a scalar at itself or, with `at_key`, at its key.
    """
    node, position, parts = root, root.position, list[str]()
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(node, MapNode) and isinstance(part, str) and part in node.items:
            key, node = node.keys[part], node.items[part]
            position = key if at_key or _is_collection(node) else node.position
            parts.append(part)
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            position = node.position
            parts.append(str(part))
        elif last and isinstance(node, MapNode) and not _is_tag(node, part):
            parts.append(str(part))
    return position, ".".join(parts)


def _is_collection(node: Node) -> bool:
    return isinstance(node, MapNode | ListNode)


def _is_tag(node: MapNode, part: str | int) -> bool:
    kind = node.items.get("kind")
    return kind is not None and to_plain(kind) == part


def _absolute(config: PipelineConfig, base: Path) -> PipelineConfig:
    """Paths of inputs made absolute against `base`, the output folder against the working one."""
    run = config.run.model_copy(update={"output_dir": Path.cwd() / config.run.output_dir})
    config = map_paths(config, lambda path: _absolute_path(path, base))
    model = config.model
    if model.path != TESTBED and _is_local(model.path, base):
        absolute = str(_absolute_path(Path(model.path), base))
        model = model.model_copy(update={"path": absolute})
    return config.model_copy(update={"run": run, "model": model})


def _is_local(path: str, base: Path) -> bool:
    """Whether a model's name is a path: it looks like one, or the folder exists."""
    return path.startswith((".", "/", "~")) or (base / path).exists() or path.count("/") > 1


def _absolute_path(path: Path, base: Path) -> Path:
    if str(path).startswith(TESTBED_PREFIX):
        return path
    return Path(os.path.normpath(base / path.expanduser()))


def map_paths(model: _ModelT, change: Callable[[Path], Path]) -> _ModelT:
    """A copy with every `Path` in it, however deep, replaced by `change(path)`."""
    update = {name: _map_value(getattr(model, name), change) for name in type(model).model_fields}
    return model.model_copy(update=update)


def _map_value(value: object, change: Callable[[Path], Path]) -> object:
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, BaseModel):
        return map_paths(value, change)
    if isinstance(value, tuple):
        return tuple(_map_value(item, change) for item in value)
    return value
