"""Errors of debias-eval.

DebiasEvalError                exit 1
├── InputError                 exit 3   a file, a protocol or a task list is wrong
│   └── UnknownNameError       exit 3   no such task, back end or profile
├── MissingError               exit 4   a file, a package or a model is not there
├── ModelError                 exit 3   a model folder is refused
├── BackendError               exit 1   the model could not be run
└── LockedError                exit 1   another run holds the folder

A bad *sample* is never one of these: it is a typed outcome that is counted.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BackendError",
    "DebiasEvalError",
    "InputError",
    "LockedError",
    "MissingError",
    "ModelError",
    "UnknownNameError",
]


class DebiasEvalError(Exception):
    """Root of every error that debias-eval raises on purpose.

    Attributes:
        exit_code: What the command exits with when this error ends it.
    """

    exit_code: ClassVar[int] = 1


class InputError(DebiasEvalError):
    """Something that the caller wrote is wrong; the message says where."""

    exit_code = 3


class UnknownNameError(InputError):
    """A name that is not registered, with the nearest known one."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {what} {name!r}{hint} (known: {', '.join(names) or 'none'})")


class MissingError(DebiasEvalError):
    """A file, a package or a model that is needed is not there."""

    exit_code = 4


class ModelError(DebiasEvalError):
    """A model folder that is refused: pickled weights, broken tensors, no chat template."""

    exit_code = 3


class BackendError(DebiasEvalError):
    """The back end could not do what a task asks of it."""


class LockedError(DebiasEvalError):
    """Another process is writing into the same output folder."""
