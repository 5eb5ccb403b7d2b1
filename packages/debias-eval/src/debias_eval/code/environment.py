"""What an interpreter can import, found by asking it; nothing is imported to find out."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, NamedTuple

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Environment", "imported_modules", "inspect_environment"]

_SECONDS = 60.0
_QUESTION = """
import importlib.util, json, os, sys, sysconfig
names = json.load(sys.stdin)
own = {os.path.realpath(sysconfig.get_path(n)) for n in ("stdlib", "platstdlib")}
own |= {os.path.join(p, "lib-dynload") for p in own}
folders = [p for p in sys.path if os.path.isdir(p) and os.path.realpath(p) not in own]
missing = [n for n in names if importlib.util.find_spec(n) is None]
json.dump({"folders": folders, "missing": missing}, sys.stdout)
"""


class Environment(NamedTuple):
    """Folders of modules besides the standard library, and which of the modules asked lack."""

    libraries: tuple[str, ...]
    missing: frozenset[str]


def inspect_environment(python: str, modules: Collection[str]) -> Environment:
    """Return what `python` offers of some top-level modules.

    Args:
        python: An interpreter; empty for the running one with the standard library alone. With
            ``{folder}`` in it, the command of one in a container.
        modules: Names without dots.

    Raises:
        InputError: It does not run.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [*_interpreter(python, folder), "-c", _QUESTION],
                input=json.dumps(sorted(modules)),
                capture_output=True,
                text=True,
                check=True,
                timeout=_SECONDS,
            )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InputError(
            f"{python or sys.executable}: not an interpreter to use: {error}"
        ) from error
    return Environment(tuple(answer["folders"]), frozenset(answer["missing"]))


def _interpreter(python: str, folder: str) -> list[str]:
    if not python:
        return [sys.executable, "-I", "-S"]
    if execution.FOLDER in python:
        return [*execution.container_words(python, folder), "-I"]
    return [python, "-I"]


def imported_modules(sources: Iterable[str]) -> frozenset[str]:
    """Return the top-level modules that sources import; one that does not parse imports none."""
    found: set[str] = set()
    for source in sources:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return frozenset(found)
