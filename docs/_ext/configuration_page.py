"""The configuration file as a page: every section and field of the schema that `debias-cli` prints.

`debias-cli schema` and this page are made from the same tree, so neither can fall behind the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from debias_cli.config.tree import PipelineConfig

Schema = Mapping[str, Any]

_BOUNDS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("multipleOf", "a multiple of {}"),
    ("minItems", "at least {} of them"),
    ("maxItems", "at most {} of them"),
    ("pattern", "like `{}`"),
)
_HUGE = 2**31 - 2  # a bound that is only there against nonsense


@dataclass(frozen=True, slots=True)
class Part:
    """One object of the file: where it stands, and its schema."""

    path: str
    name: str
    schema: Schema


def page() -> str:
    """Returns the Markdown of all sections, in the order of the file."""
    schema = PipelineConfig.model_json_schema(by_alias=True)
    definitions: Mapping[str, Schema] = schema["$defs"]
    lines: list[str] = []
    for part in _parts(schema, definitions):
        depth = "##" if part.path.count(".") == 0 and "[" not in part.path else "###"
        lines += [f"({_anchor(part.name)})=", f"{depth} {_title(part)}", ""]
        lines += [_prose(part.schema.get("description", "")), ""]
        lines += list(_table(part.schema, definitions)) or ["It has no fields."]
        lines.append("")
    return "\n".join(lines)


def _parts(schema: Schema, definitions: Mapping[str, Schema]) -> Iterator[Part]:
    """Yields every object once, each section followed by what stands in it."""
    seen: set[str] = set()

    def walk(path: str, field: Schema) -> Iterator[Part]:
        for name in _names(field):
            definition = definitions[name]
            if name in seen or "properties" not in definition:
                continue
            seen.add(name)
            yield Part(path, name, definition)
            for key, below in definition["properties"].items():
                many = "[]" if below.get("type") == "array" else ""
                yield from walk(f"{path}.{key}{many}", below)

    for key, field in schema["properties"].items():
        yield from walk(key, field)


def _names(field: Schema) -> Iterator[str]:
    """Yields the definitions that a field refers to."""
    if "$ref" in field:
        yield str(field["$ref"]).rpartition("/")[2]
    for below in (*field.get("oneOf", ()), *field.get("anyOf", ()), field.get("items")):
        if isinstance(below, Mapping):
            yield from _names(below)


def _title(part: Part) -> str:
    kinds = _kinds(part.schema)
    return f"`{part.path}`" + (f": {', '.join(f'`{kind}`' for kind in kinds)}" if kinds else "")


def _kinds(schema: Schema) -> list[str]:
    kind = schema["properties"].get("kind", {})
    return list(map(str, kind.get("enum", [kind["const"]] if "const" in kind else [])))


def _anchor(name: str) -> str:
    return f"config-{name.lower()}"


def _table(schema: Schema, definitions: Mapping[str, Schema]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    rows = []
    for key, field in schema["properties"].items():
        description = field.get("description", "")
        names = [name for name in _names(field) if name in definitions]
        if not description and len(names) == 1:
            description = definitions[names[0]].get("description", "")
        bounds = _bounds(field)
        text = _prose(description) + (f" ({bounds})" if bounds else "")
        default = "*required*" if key in required else _value(field.get("default", ...))
        rows.append(f"| `{key}` | {_type(field, definitions)} | {default} | {text} |")
    if rows:
        yield "| field | type | default | what it is |"
        yield "|---|---|---|---|"
        yield from rows


def _type(field: Schema, definitions: Mapping[str, Schema]) -> str:
    links = [
        f"[{' / '.join(_kinds(definitions[name])[:3]) or 'section'}](#{_anchor(name)})"
        for name in _names(field)
        if "properties" in definitions[name]
    ]
    if links:
        many = "list of " if field.get("type") == "array" else ""
        return many + ", ".join(links)
    if "enum" in field or "const" in field:
        return " \\| ".join(f"`{item}`" for item in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        kinds = [_type(below, definitions) for below in field["anyOf"]]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    return "any value" if "$ref" in field else str(field.get("type", "any value"))


def _bounds(field: Schema) -> str:
    found = []
    for schema in (field, *field.get("anyOf", ())):
        for key, words in _BOUNDS:
            value = schema.get(key)
            if value is not None and not (isinstance(value, int) and value > _HUGE):
                found.append(words.format(str(value).replace("|", "\\|")))
    return ", ".join(found)


def _value(value: object) -> str:
    if value is ...:
        return "its defaults"
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace("|", "\\|")


def _prose(text: str) -> str:
    """Returns a description as Markdown: what would be markup is not, and it is one line."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    escaped = [
        part if part.startswith("`") else re.sub(r"([\\*_|<>{}\[\]])", r"\\\1", part)
        for part in parts
    ]
    return "".join(escaped).replace("||", "\\|\\|")
