"""The imports that LiveCodeBench puts in front of every answer."""

from __future__ import annotations

import re

__all__ = ["with_preamble"]

_STARRED = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
    "statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
_NAMED = _STARRED[:-2]
_PREAMBLE = (
    "".join(f"from {name} import *\n" for name in _STARRED)
    + "".join(f"import {name}\n" for name in _NAMED)
    + "sys.setrecursionlimit(50000)\n"
)
_FUTURE = re.compile(r"^from __future__ import [^\n]*$", re.MULTILINE)


def with_preamble(code: str) -> str:
    """Return `code` behind the imports; what it takes from ``__future__`` goes first of all.

    Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py (`import_string`).
    """
    future = "".join(f"{line}\n" for line in _FUTURE.findall(code))
    return f"{future}{_PREAMBLE}\n{_FUTURE.sub('', code) if future else code}"
