"""Plain values to YAML, and a configuration to YAML with a comment on every field.

Whatever is written here is read back to the same values by `yaml_reader`.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from debias_cli.config.yaml_reader import Plain, Scalar, read_scalar

_WIDTH = 96
_PLAIN_TEXT = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+ -]*")
_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
    ("multipleOf", "a multiple of {}"),
)


def dump(value: Mapping[str, Plain]) -> str:
    """YAML text of a mapping."""
    return "\n".join(_mapping(value, 0)) + "\n"


def dump_scalar(value: Scalar) -> str:
    """One scalar; texts that would read as something else are quoted."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN_TEXT.fullmatch(value) and value == value.strip() and read_scalar(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def dump_commented(config: BaseModel) -> str:
    """YAML text of a configuration with descriptions, bounds and choices as comments.

    Fields that are null are written as comments; entries of lists show only what they set.
    """
    return "\n".join(_commented(config, 0)) + "\n"


def _mapping(value: Mapping[str, Plain], indent: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{' ' * indent}{dump_scalar(key)}:", item, indent)


def _entry(head: str, item: Plain, indent: int) -> Iterator[str]:
    if isinstance(item, dict) and item:
        yield head
        yield from _mapping(item, indent + 2)
    elif isinstance(item, list) and item:
        yield head
        for below in item:
            yield from _list_item(below, indent + 2)
    else:
        yield f"{head} {_inline(item)}"


def _list_item(item: Plain, indent: int) -> Iterator[str]:
    if isinstance(item, dict) and item:
        lines = list(_mapping(item, indent + 2))
        yield f"{' ' * indent}- {lines[0].lstrip()}"
        yield from lines[1:]
    else:
        yield f"{' ' * indent}- {_inline(item)}"


def _inline(item: Plain) -> str:
    if isinstance(item, dict):
        return "{" + ", ".join(f"{dump_scalar(k)}: {_inline(v)}" for k, v in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(_inline, item)) + "]"
    text = dump_scalar(item)
    return json.dumps(item, ensure_ascii=False) if isinstance(item, str) and "," in text else text


def _commented(model: BaseModel, indent: int) -> Iterator[str]:
    schema = type(model).model_json_schema(by_alias=True)["properties"]
    plain = model.model_dump(mode="json", by_alias=True)
    short = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        if indent == 0:
            yield ""
        yield from _comment(field.description or "", schema.get(key, {}), indent)
        head = f"{' ' * indent}{key}:"
        if isinstance(value, BaseModel) and "kind" not in type(value).model_fields:
            lines = list(_commented(value, indent + 2))
            empty = all(line.lstrip().startswith("#") for line in lines)  # YAML would read null
            yield f"{head} {{}}" if empty else head
            yield from lines
        elif value is None:
            yield f"{' ' * indent}# {key}: null"
        elif isinstance(value, BaseModel):
            yield f"{head} {_inline(_with_kind(value))}"
        else:
            items = _models(value)
            listed: Plain = [_with_kind(item) for item in items] if items else plain[key]
            yield from _entry(head, listed if items else short.get(key, plain[key]), indent)


def _models(value: object) -> list[BaseModel]:
    if not isinstance(value, tuple):
        return []
    return [item for item in value if isinstance(item, BaseModel)]


def _with_kind(model: BaseModel) -> dict[str, Plain]:
    """What an entry sets, its kind first."""
    short = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for name in type(model).model_fields:
        below = getattr(model, name)
        if isinstance(below, BaseModel):
            short[name] = _with_kind(below)
    kind = getattr(model, "kind", None)
    return short if kind is None else {"kind": kind, **short}


def _comment(description: str, schema: Mapping[str, object], indent: int) -> Iterator[str]:
    bounds = ", ".join(words.format(_number(schema[k])) for k, words in _BOUNDS if k in schema)
    choices = schema.get("enum")
    listed = " | ".join(map(str, choices)) if isinstance(choices, list) else ""
    extra = "; ".join(filter(None, (listed, bounds)))
    text = f"{description} ({extra})" if extra else description
    for line in textwrap.wrap(text, _WIDTH - indent - 2):
        yield f"{' ' * indent}# {line}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
