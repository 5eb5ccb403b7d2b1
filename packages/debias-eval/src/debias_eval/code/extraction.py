"""The program in a model's answer: by fences, by what parses, by what the entry point needs.

Nothing is executed; text that is no code comes back as it is, and its tests fail.
Compare evalplus/sanitize.py (v0.3), whose rules these follow on the standard library's parser.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from typing import TYPE_CHECKING

from debias_eval.code.fences import fenced_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HUMANEVAL_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
_MAX_CHARS = 1 << 20
_MAX_PARSED_CHARS = 8 << 20
_CODE_START = re.compile(
    r"(?:import|from|def|async|class|if|for|while|try|with)\b|@|[A-Za-z_]\w*\s*[=:(\[.]"
)


def cut_at_stops(text: str, stops: Iterable[str]) -> str:
    """Return `text` up to the first stop string that is in it."""
    ends = [text.find(stop) for stop in stops if stop]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def extract_completion(text: str, *, stops: Sequence[str] = ()) -> str:
    """Return the continuation of a prompt: cut at the stop strings, unfenced.

    A base model's text continues the prompt and is only cut. Where the answer is one fenced block,
    its inside is taken first.
    """
    if text.lstrip().startswith("```"):
        blocks = fenced_blocks(text)
        if blocks:
            text = blocks[0].code
    return cut_at_stops(text, stops)


def extract_program(text: str, entry_point: str | None = None, *, prompt: str = "") -> str:
    """Return the source of the program that an answer holds.

    Blocks are tried last to first, those that define the entry point before others, then the
    longest run of lines that parses. Of what is found, only imports and the definitions that
    `entry_point` can reach are kept: example calls and prints are not.

    Args:
        text: a model's whole answer.
        entry_point: the function that the tests call; None keeps everything.
        prompt: code that stood before the answer; its imports are put in front.
    """
    candidates = [block.code for block in reversed(fenced_blocks(text)) if block.is_python]
    candidates += [block.code for block in reversed(fenced_blocks(text)) if not block.is_python]
    for code in candidates:
        found = _program(code, entry_point)
        if found is not None:
            return _with_imports(found, prompt)
    joined = "\n".join(reversed(candidates))
    for code in (joined, longest_code(text)):
        found = _program(code, entry_point)
        if found is not None:
            return _with_imports(found, prompt)
    return _with_imports(candidates[0], prompt) if candidates else text


def longest_code(text: str) -> str:
    """Return the longest run of whole lines that parses as Python, by characters other than space.

    A run begins with a line that looks like the start of a statement, and the work is bounded
    whatever the text is.
    """
    lines = _lines(text[:_MAX_CHARS])
    best, best_size, start, budget = "", 0, 0, _MAX_PARSED_CHARS
    while start < len(lines) and budget > 0:
        if not _CODE_START.match(lines[start]):
            start += 1
            continue
        stop, cost = _parsable_end(lines, start)
        budget -= cost
        run = "\n".join(lines[start:stop])
        size = len("".join(run.split()))
        if size > best_size:
            best, best_size = run, size
        start = max(start + 1, stop)
    return best


def prompt_helpers(prompt: str, entry_point: str) -> str:
    """Return the definitions and imports of a prompt other than `entry_point` itself.

    Tests may call them (`poly` in HumanEval/32, `encode_shift` in HumanEval/50): taken from the
    prompt, they are not the solution's to redefine.
    """
    tree = _parse(prompt)
    if tree is None:
        return ""
    kept = [node for node in tree.body if entry_point not in _bound(node)]
    return _source_of(prompt, kept)


def reachable_source(code: str, entry_point: str) -> str | None:
    """Return imports and the definitions that `entry_point` reaches, in their order.

    None if the code does not parse or does not define it.
    """
    tree = _parse(code)
    if tree is None:
        return None
    bound = [_bound(node) for node in tree.body]
    if not any(entry_point in names for names in bound):
        return None
    read = [_read(node) for node in tree.body]
    wanted, frontier = {entry_point}, {entry_point}
    while frontier:
        needed: set[str] = set()
        for names, uses in zip(bound, read, strict=True):
            if names & frontier:
                needed |= uses
        frontier = needed - wanted
        wanted |= needed
    kept = [
        node
        for node, names in zip(tree.body, bound, strict=True)
        if _is_setting(node) or (names & wanted and not _is_main_block(node))
    ]
    return _source_of(code, kept)


def _program(code: str, entry_point: str | None) -> str | None:
    if _parse(code) is None:
        code = textwrap.dedent(code)
    if entry_point is None:
        return code if code.strip() and _parse(code) is not None else None
    return reachable_source(code, entry_point.partition(".")[0])


def _with_imports(code: str, prompt: str) -> str:
    tree = _parse(prompt) if prompt else None
    if tree is None:
        return code
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return _source_of(prompt, imports) + code


def _parse(code: str) -> ast.Module | None:
    if len(code) > _MAX_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's invalid escapes are no news
            return ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _parsable_end(lines: list[str], start: int) -> tuple[int, int]:
    """Return the end of the longest parsable run from `start` (`start` if none), and the cost."""
    stop, cost = len(lines), 0
    for _ in range(64):
        if stop <= start:
            break
        run = "\n".join(lines[start:stop])
        cost += len(run) + 100
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(run)
        except SyntaxError as error:
            # What follows the error cannot help; what precedes it may be incomplete as well.
            stop = min(stop - 1, start + (error.lineno or 1) - 1)
        except (ValueError, MemoryError, RecursionError):
            break
        else:
            return stop, cost
    return start, cost


def _lines(text: str) -> list[str]:
    """Return the lines as Python's parser counts them; `splitlines` knows more line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds at the level of the module."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    names: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            names.add(part.id)
        elif isinstance(part, ast.alias):
            names.add("*" if part.name == "*" else (part.asname or part.name).partition(".")[0])
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(part.name)
    return names


def _read(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _is_setting(node: ast.stmt) -> bool:
    """Return whether a statement is kept whatever is reachable: imports, the recursion limit."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "setrecursionlimit"
    )


def _is_main_block(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in _read(node)


def _source_of(code: str, nodes: Sequence[ast.stmt]) -> str:
    """Return the lines of statements, decorators included, each followed by a newline."""
    lines = _lines(code)
    parts = []
    for node in nodes:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        parts += [line + "\n" for line in lines[first - 1 : node.end_lineno]]
    return "".join(parts)
