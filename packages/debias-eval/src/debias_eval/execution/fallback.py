"""What a test that cannot be split is expected to do, found by parsing it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_eval.execution.program import Program


def expected_tests(program: Program) -> int:
    """Return how many tests must have run: methods for `unittest`, otherwise one."""
    if program.style != "unittest":
        return 1
    tree = ast.parse(program.test)
    methods: dict[str, set[str]] = {}  # of each class of tests, with those it inherits
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base) for base in node.bases]
        known = [methods[base] for base in bases if base in methods]
        if known or any(base.rpartition(".")[2].endswith("TestCase") for base in bases):
            methods[node.name] = set().union(_tests_of(node), *known)
    return sum(map(len, methods.values()))


def _tests_of(node: ast.ClassDef) -> set[str]:
    """Return the names of a class's tests; a name that is defined twice is one test."""
    return {
        part.name
        for part in node.body
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))
        and part.name.startswith("test")
    }
