"""Options that belong to one back end: read once, strictly, into a dataclass of its own."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from debias_eval.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from debias_eval.backends.base import BackendSettings

__all__ = ["no_options", "read_options"]

_T = TypeVar("_T")


def read_options(kind: type[_T], settings: BackendSettings, *, backend: str) -> _T:
    """Return ``settings.options`` as a ``kind``; text from a command line is converted.

    Raises:
        UnknownNameError: The back end has no such option.
        InputError: A value does not fit.
    """
    assert is_dataclass(kind)
    known = [field.name for field in fields(kind)]
    for name in settings.options:
        if name not in known:
            raise UnknownNameError(f"option of the {backend} back end", name, known)
    try:
        return TypeAdapter(kind).validate_python(dict(settings.options))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{backend} back end: option {where}: {first['msg']}") from error


def no_options(settings: BackendSettings, *, backend: str) -> None:
    """Refuse options: this back end has none.

    Raises:
        UnknownNameError: One was given.
    """
    for name in settings.options:
        raise UnknownNameError(f"option of the {backend} back end", name, ())
