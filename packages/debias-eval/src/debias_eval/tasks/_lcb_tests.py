"""The tests of a LiveCodeBench row, out of their published encoding.

Public tests are a JSON list. Private ones are that too, or base64 of zlib of a pickle of its text:
the pickle is never loaded. Its opcodes are read instead, and only those of a single string pass.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import pickletools
import zlib
from typing import Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

__all__ = ["Case", "TestsError", "all_cases", "text_of_pickle"]

_MAX_TEXT = 1 << 30
_STRINGS = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_FRAMING = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})


class TestsError(ValueError):
    """Tests that cannot be read: a fault of the data."""

    __test__ = False  # its name is not one of pytest's


class Case(NamedTuple):
    """One test: what goes in and what must come out, as texts."""

    input: str
    output: str


class _Case(BaseModel):
    input: str
    output: str
    testtype: Literal["stdin", "functional"]


_CASES = TypeAdapter(list[_Case])


@functools.lru_cache(maxsize=4)  # the samples of one question come one after the other
def all_cases(public: str, private: str, *, functional: bool) -> tuple[Case, ...]:
    """Return the public and then the private tests of a row.

    Args:
        public: The field ``public_test_cases``.
        private: The field ``private_test_cases``.
        functional: Whether the question is about a function; its tests must say the same.

    Raises:
        TestsError: A field is in neither encoding, or a test is of the wrong kind.
    """
    kind = "functional" if functional else "stdin"
    found: list[Case] = []
    for name, text in (("public_test_cases", public), ("private_test_cases", private)):
        try:
            cases = _CASES.validate_python(_parse(text))
        except (ValueError, ValidationError) as error:
            raise TestsError(f"{name}: {str(error).splitlines()[0]}") from error
        wrong = [case.testtype for case in cases if case.testtype != kind]
        if wrong:
            raise TestsError(f"{name}: a {wrong[0]} test in a {kind} question")
        found += [Case(case.input, case.output) for case in cases]
    if not found:
        raise TestsError("no tests")
    return tuple(found)


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_unpacked(text))


def _unpacked(text: str) -> str:
    try:
        packed = base64.b64decode(text, validate=True)
        stream = zlib.decompressobj()
        raw = stream.decompress(packed, _MAX_TEXT)
    except (binascii.Error, zlib.error) as error:
        raise TestsError(f"neither JSON nor base64 of zlib: {error}") from error
    if not stream.eof:
        raise TestsError(f"more than {_MAX_TEXT >> 20} MiB, or cut short")
    return text_of_pickle(raw)


def text_of_pickle(raw: bytes) -> str:
    """Return the string that a pickle holds; nothing is constructed, called or imported.

    Raises:
        TestsError: It holds anything else.
    """
    found: list[str] = []
    try:
        for opcode, argument, _place in pickletools.genops(raw):
            if opcode.name in _STRINGS:
                found.append(str(argument))
            elif opcode.name not in _FRAMING:
                raise TestsError(f"a pickle with {opcode.name}: only one string is admitted")
    except (ValueError, UnicodeDecodeError, IndexError) as error:
        if isinstance(error, TestsError):
            raise
        raise TestsError(f"not a pickle: {error}") from error
    if len(found) != 1:
        raise TestsError(f"a pickle of {len(found)} strings: one is admitted")
    return found[0]
