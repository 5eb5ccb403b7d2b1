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
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return sum(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")
        for cls in classes
        for node in cls.body
    )
