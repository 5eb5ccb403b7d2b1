"""Pydantic's findings in the words of this project, with a suggestion where one is close.

The candidates for "did you mean" come from the JSON Schema of the tree, so sections that other
packages define (`data`) are covered as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from debias_cli.config.problems import did_you_mean, shorten

Schema: TypeAlias = Mapping[str, Any]
Location: TypeAlias = tuple[str | int, ...]

_TYPE_NAMES = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}
_BOOL_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_MAX_LISTED = 30


def explain(error: Mapping[str, Any], schema: Schema) -> str:
    """The message of one pydantic error (as from `ValidationError.errors()`)."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind in _TYPE_NAMES:
        return _wrong_type(kind, value)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{shorten(value)} {words} {context[key]}"
    if kind in _SPECIAL:
        return _SPECIAL[kind](error, schema)
    message = str(error["msg"])
    return f"{shorten(value)}: {message[:1].lower()}{message[1:]}"


def field_names(schema: Schema, location: Location) -> list[str]:
    """Names of the fields that are allowed at a location; empty where that is not known."""
    nodes = _nodes_at(schema, location)
    nodes += [
        _resolve(schema, branch)
        for node in nodes
        for branch in (*node.get("anyOf", ()), *node.get("oneOf", ()))
    ]
    return sorted({name for node in nodes for name in node.get("properties", {})})


def _nodes_at(schema: Schema, location: Location) -> list[Schema]:
    """The schemas that describe a location; several where a union is not decided."""
    nodes = [_resolve(schema, schema)]
    for part in location:
        nodes = [below for node in nodes for below in _descend(schema, node, part)]
    return nodes


def _missing(error: Mapping[str, Any], schema: Schema) -> str:
    nodes = _nodes_at(schema, error["loc"])
    description = next((node["description"] for node in nodes if "description" in node), "")
    return f"required field is missing{f' ({description})' if description else ''}"


def _unknown_field(error: Mapping[str, Any], schema: Schema) -> str:
    names = field_names(schema, error["loc"][:-1])
    return f"unknown field{_suggest(str(error['loc'][-1]), names)}"


def _bad_literal(error: Mapping[str, Any], schema: Schema) -> str:
    del schema
    return _not_one_of(error["input"], _unquote(error["ctx"]["expected"]))


def _bad_tag(error: Mapping[str, Any], schema: Schema) -> str:
    del schema
    return _not_one_of(error["ctx"]["tag"], _unquote(error["ctx"]["expected_tags"]))


def _no_tag(error: Mapping[str, Any], schema: Schema) -> str:
    value = error["input"]
    if not isinstance(value, Mapping):
        return _wrong_type("model_type", value)
    nodes = _nodes_at(schema, error["loc"])
    tags = {tag for node in nodes for tag in node.get("discriminator", {}).get("mapping", {})}
    listed = f" (one of {', '.join(map(repr, sorted(tags)))})" if tags else ""
    close = next((str(k) for k in value if did_you_mean(str(k), ["kind"])), None)
    return f"'kind' is missing{listed}{f'; is {close!r} meant to be it?' if close else ''}"


def _bad_pattern(error: Mapping[str, Any], schema: Schema) -> str:
    del schema
    return f"{shorten(error['input'])} does not match {error['ctx']['pattern']}"


def _own_words(error: Mapping[str, Any], schema: Schema) -> str:
    del schema
    return str(error.get("ctx", {}).get("error", error["msg"]))


_SPECIAL: dict[str, Callable[[Mapping[str, Any], Schema], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_field,
    "literal_error": _bad_literal,
    "union_tag_invalid": _bad_tag,
    "union_tag_not_found": _no_tag,
    "string_pattern_mismatch": _bad_pattern,
    "value_error": _own_words,
    "assertion_error": _own_words,
}


def _wrong_type(kind: str, value: object) -> str:
    wanted = _TYPE_NAMES[kind]
    hint = ""
    if wanted == "true or false" and isinstance(value, str):
        word = _BOOL_WORDS.get(value.lower())
        hint = f"; did you mean {word}?" if word else did_you_mean(value.lower(), ("true", "false"))
    elif wanted == "text" and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
    elif wanted in ("a number", "a whole number") and isinstance(value, str):
        hint = _unquoted_number(value)
    if value is None:
        return f"null is not {wanted}"
    return f"{_show(value)} is not {wanted}{hint}"


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else shorten(value)


def _unquoted_number(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return ""
    return "; it is text here: drop the quotes or the underscores"


def _not_one_of(value: object, allowed: Sequence[str]) -> str:
    text = str(value)
    return f"{shorten(value)} is not one of {', '.join(map(repr, allowed))}" + did_you_mean(
        text, allowed
    )


def _suggest(name: str, names: Sequence[str]) -> str:
    close = did_you_mean(name, names)
    if close or not names:
        return close
    listed = ", ".join(names[:_MAX_LISTED]) + (", …" if len(names) > _MAX_LISTED else "")
    return f"; the fields here are {listed}"


def _unquote(listed: str) -> list[str]:
    # pydantic writes "'a', 'b' or 'c'"
    parts = listed.replace(" or ", ", ").split(", ")
    return [part.strip("'\"") for part in parts]


def _resolve(schema: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        node = {**schema["$defs"][name], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _descend(schema: Schema, node: Schema, part: str | int) -> list[Schema]:
    """The schemas one step below; a union's tag (or a branch's name) selects that branch."""
    found: list[Schema] = []
    mapping = node.get("discriminator", {}).get("mapping", {})
    if isinstance(part, str) and part in mapping:
        return [_resolve(schema, {"$ref": mapping[part]})]
    if isinstance(part, str) and part in node.get("properties", {}):
        found.append(_resolve(schema, node["properties"][part]))
    elif isinstance(part, str) and isinstance(node.get("additionalProperties"), Mapping):
        found.append(_resolve(schema, node["additionalProperties"]))
    elif isinstance(part, int) and isinstance(node.get("items"), Mapping):
        found.append(_resolve(schema, node["items"]))
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        found.extend(_descend(schema, _resolve(schema, branch), part))
    return found
