"""How alike two programs are: what a model wrote for one side of a pair against the other.

Three measures, each for what it is:

- **same program**: the syntax trees are equal, comments, docstrings and layout aside;
- **token similarity**: 2 · matched tokens / all tokens, in order (Ratcliff & Obershelp);
- **CodeBLEU** (Ren et al. 2020, arXiv 2009.10297), by the ``codebleu`` package, the mean of both
  directions, since either program may be the reference. It needs the extra ``codebleu``.

Programs that continue a prompt share its signature, so none of the three begins at 0.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import io
import logging
import tokenize
import warnings
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

from debias_eval.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Likeness", "codebleu", "codebleu_problem", "likeness"]

_MAX_CHARS = 10_000  # the matchers' time grows with the square
_LAYOUT = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)
_INSTALL = "pip install 'debias-eval[codebleu]'"


class Likeness(NamedTuple):
    """How alike two programs are; ``codebleu`` is None for what is no Python, or without it."""

    same_program: bool
    token_similarity: float
    codebleu: float | None


def likeness(first: str, second: str) -> Likeness | None:
    """Return how alike two programs are; None for one that is empty or beyond 10,000 characters."""
    if not (first.strip() and second.strip()) or max(len(first), len(second)) > _MAX_CHARS:
        return None
    parsed = [_plain(program) for program in (first, second)]
    plain = [
        as_is if found is None else found
        for as_is, found in zip((first, second), parsed, strict=True)
    ]
    left, right = (_tokens(program) for program in plain)
    # The parser bounds how deep a program nests; CodeBLEU's time has no other bound.
    can_score = None not in parsed and codebleu_problem() is None
    return Likeness(
        same_program=plain[0] == plain[1],
        token_similarity=difflib.SequenceMatcher(None, left, right, autojunk=False).ratio(),
        codebleu=codebleu(*plain) if can_score else None,
    )


def codebleu(first: str, second: str) -> float | None:
    """Return CodeBLEU of two programs, 0 to 1; None where a program is nested too deeply for it.

    Raises:
        MissingError: The extra ``codebleu`` is not installed, or does not work; it says why.
    """
    problem = codebleu_problem()
    if problem is not None:
        raise MissingError(problem)
    score = _scorer()
    with _quiet():
        try:
            return (score(first, second) + score(second, first)) / 2
        except RecursionError:
            return None


@cache
def codebleu_problem() -> str | None:
    """Return why there is no CodeBLEU on this machine, and what to do; None where there is."""
    try:
        score = _scorer()
    except ImportError as error:
        return f"CodeBLEU needs an extra ({error}): {_INSTALL}"
    try:
        with _quiet():
            score("x = 1", "x = 1")
    except (ImportError, TypeError, ValueError) as error:  # a grammar of another tree-sitter
        return f"CodeBLEU does not work with what is installed here ({error}): {_INSTALL}"
    return None


@cache
def _scorer() -> Callable[[str, str], float]:
    package = importlib.import_module("codebleu")
    importlib.import_module("tree_sitter_python")

    def score(reference: str, program: str) -> float:
        return cast("float", package.calc_codebleu([reference], [program], "python")["codebleu"])

    return score


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what the package logs about programs without data flow, on the root logger."""
    root, handler = logging.getLogger(), logging.NullHandler()

    def is_ours(record: logging.LogRecord) -> bool:
        return "data-flow" not in record.getMessage()

    root.addHandler(handler)
    root.addFilter(is_ours)
    try:
        yield
    finally:
        root.removeFilter(is_ours)
        root.removeHandler(handler)


def _plain(program: str) -> str | None:
    """Return a program without comments, docstrings and layout; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's invalid escapes are no news
            tree = ast.parse(program)
            for node in ast.walk(tree):
                if isinstance(
                    node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
                ):
                    _drop_docstring(node)
            return ast.unparse(tree)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _drop_docstring(
    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]


def _tokens(program: str) -> list[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(program).readline))
    except (tokenize.TokenError, SyntaxError):
        return program.split()
    return [token.string for token in tokens if token.type not in _LAYOUT]
