"""Which names of a test belong to the solution, found by parsing the test and nothing else."""

from __future__ import annotations

import ast
import builtins

_BUILTINS = frozenset(vars(builtins))


def free_names(tree: ast.AST) -> set[str]:
    """Return the names that `tree` reads and never binds, built-in names left out."""
    return {name for name in _read(tree) if name not in _BUILTINS} - bound_names(tree)


def bound_names(tree: ast.AST) -> set[str]:
    """Return every name that `tree` binds anywhere, as a variable, argument or definition."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return bound


def entry_points(tree: ast.AST) -> list[str]:
    """Return the functions that assert lines are about: those that are called by a free name.

    A built-in name counts only where nothing else is called, as in `assert sum(10, 15) == 6`; in
    `assert set(f(x)) == set(y)` the solution has no say in what `set` means.
    """
    called = [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    bound = bound_names(tree)
    own = sorted({name for name in called if name not in _BUILTINS and name not in bound})
    return own or sorted({name for name in called if name not in bound})


def _read(tree: ast.AST) -> set[str]:
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
