"""Tiny code tasks in HumanEval's form: one function each, its body one return statement.

A kind has an expression over one or two arguments and possibly a constant; a task is a kind with a
constant and an argument name. Tasks are held out of training by a hash of that combination.
"""

# ruff: noqa: E501 - a table: one kind a line
from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypedDict

CONSTANTS: Final = tuple(range(2, 21))
ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "int": ("x", "n", "k", "a", "value", "number", "count", "size"),
    "list": ("items", "values", "numbers", "data", "xs", "list_a", "row", "parts"),
    "str": ("text", "word", "line", "name", "s", "title", "label", "key"),
    "two": ("a, b", "x, y", "left, right", "one, two", "n, m", "p, q", "u, v", "low, high"),
}
"""Argument names by what a kind takes; ``two`` is two integers."""
_MORE_SINGLE: Final = (
    "p", "q", "t", "u", "w", "z", "b", "c", "arg", "item", "thing", "given", "val", "it", "source",
    "old", "my_value", "part", "entry", "first_one",
)  # fmt: skip
_MORE_PAIRS: Final = (
    "t, u", "w, z", "b, c", "c, d", "u, w", "old, new", "z, t", "base, other", "g, h", "r, s",
    "part, whole", "val, arg", "d, b", "here, there", "i, j", "arg, item",
)  # fmt: skip
MORE_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "int": _MORE_SINGLE, "list": _MORE_SINGLE, "str": _MORE_SINGLE, "two": _MORE_PAIRS,
}  # fmt: skip
"""Names for training alone: enough of them that copying the name is easier than memorising it."""

_INPUTS: Final[dict[str, tuple[tuple[object, ...], ...]]] = {
    "int": ((0,), (1,), (7,), (12,), (20,), (-3,), (40,)),
    "list": (([3, 1, 2],), ([5],), (list(range(25)),), ([-4, 9, 9, 0, 7, 2],)),
    "str": (("Hello",), ("a",), ("Ab cD",), ("abcdefghijklmnopqrstuvwxyz",)),
    "two": ((1, 2), (5, 3), (-4, -4), (10, 0)),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of tasks; ``{v}``, ``{w}`` are the arguments and ``{k}`` the constant."""

    name: str
    takes: str
    doc: str
    body: str
    oracle: Callable[..., object]

    @property
    def has_constant(self) -> bool:
        """Whether the kind has a constant."""
        return "{k}" in self.body


KINDS: Final = (
    Kind("add", "int", "Return {v} plus {k}.", "{v} + {k}", lambda v, k: v + k),
    Kind("subtract", "int", "Return {v} minus {k}.", "{v} - {k}", lambda v, k: v - k),
    Kind("times", "int", "Return {v} times {k}.", "{v} * {k}", lambda v, k: v * k),
    Kind("remainder", "int", "Return the remainder of {v} by {k}.", "{v} % {k}", lambda v, k: v % k),
    Kind("divide", "int", "Return {v} divided by {k}, rounded down.", "{v} // {k}", lambda v, k: v // k),
    Kind("above", "int", "Return True if {v} is above {k}.", "{v} > {k}", lambda v, k: v > k),
    Kind("below", "int", "Return True if {v} is below {k}.", "{v} < {k}", lambda v, k: v < k),
    Kind("equals", "int", "Return True if {v} equals {k}.", "{v} == {k}", lambda v, k: v == k),
    Kind("at_most", "int", "Return {v}, but at most {k}.", "min({v}, {k})", min),
    Kind("at_least", "int", "Return {v}, but at least {k}.", "max({v}, {k})", max),
    Kind("multiple", "int", "Return True if {v} is a multiple of {k}.", "{v} % {k} == 0", lambda v, k: v % k == 0),
    Kind("first_items", "list", "Return the first {k} of {v}.", "{v}[:{k}]", lambda v, k: v[:k]),
    Kind("last_items", "list", "Return the last {k} of {v}.", "{v}[-{k}:]", lambda v, k: v[-k:]),
    Kind("skip_items", "list", "Return {v} without the first {k}.", "{v}[{k}:]", lambda v, k: v[k:]),
    Kind("add_all", "list", "Add {k} to each of {v}.", "[i + {k} for i in {v}]", lambda v, k: [i + k for i in v]),
    Kind("times_all", "list", "Multiply each of {v} by {k}.", "[i * {k} for i in {v}]", lambda v, k: [i * k for i in v]),
    Kind("keep_above", "list", "Keep those of {v} above {k}.", "[i for i in {v} if i > {k}]", lambda v, k: [i for i in v if i > k]),
    Kind("count_of", "list", "Count how often {k} is in {v}.", "{v}.count({k})", lambda v, k: v.count(k)),
    Kind("repeat", "str", "Return {v} repeated {k} times.", "{v} * {k}", lambda v, k: v * k),
    Kind("first_letters", "str", "Return the first {k} letters of {v}.", "{v}[:{k}]", lambda v, k: v[:k]),
    Kind("longer_than", "str", "Return True if {v} is longer than {k}.", "len({v}) > {k}", lambda v, k: len(v) > k),
    Kind("is_even", "int", "Return True if {v} is even.", "{v} % 2 == 0", lambda v: v % 2 == 0),
    Kind("is_odd", "int", "Return True if {v} is odd.", "{v} % 2 == 1", lambda v: v % 2 == 1),
    Kind("negate", "int", "Return {v} with the other sign.", "-{v}", lambda v: -v),
    Kind("square", "int", "Return the square of {v}.", "{v} * {v}", lambda v: v * v),
    Kind("size", "int", "Return the absolute value of {v}.", "abs({v})", abs),
    Kind("last", "list", "Return the last element of {v}.", "{v}[-1]", lambda v: v[-1]),
    Kind("first", "list", "Return the first element of {v}.", "{v}[0]", lambda v: v[0]),
    Kind("length", "list", "Return the length of {v}.", "len({v})", len),
    Kind("total", "list", "Return the sum of {v}.", "sum({v})", sum),
    Kind("largest", "list", "Return the largest of {v}.", "max({v})", max),
    Kind("smallest", "list", "Return the smallest of {v}.", "min({v})", min),
    Kind("in_order", "list", "Return {v} in order.", "sorted({v})", sorted),
    Kind("backwards", "str", "Return {v} backwards.", "{v}[::-1]", lambda v: v[::-1]),
    Kind("upper", "str", "Return {v} in upper case.", "{v}.upper()", str.upper),
    Kind("lower", "str", "Return {v} in lower case.", "{v}.lower()", str.lower),
    Kind("larger", "two", "Return the larger of {v} and {w}.", "max({v}, {w})", max),
    Kind("smaller", "two", "Return the smaller of {v} and {w}.", "min({v}, {w})", min),
    Kind("both", "two", "Return the sum of {v} and {w}.", "{v} + {w}", lambda v, w: v + w),
    Kind("product", "two", "Return the product of {v} and {w}.", "{v} * {w}", lambda v, w: v * w),
)  # fmt: skip


class HumanEvalRow(TypedDict):
    """One task in HumanEval's published schema."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


@dataclass(frozen=True, slots=True)
class Task:
    """A kind with its argument name(s) and constant (``None`` where the kind has none)."""

    kind: Kind
    arguments: str
    constant: int | None

    @property
    def entry_point(self) -> str:
        """The function's name."""
        return self.kind.name if self.constant is None else f"{self.kind.name}_{self.constant}"

    @property
    def prompt(self) -> str:
        """Signature and docstring."""
        return f'def {self.entry_point}({self.arguments}):\n    """{self._fill(self.kind.doc)}"""\n'

    @property
    def solution(self) -> str:
        """The body that the model is to write."""
        return f"    return {self._fill(self.kind.body)}\n"

    @property
    def test(self) -> str:
        """A ``check(candidate)`` in HumanEval's form; expected values come from the oracle."""
        constant = () if self.constant is None else (self.constant,)
        lines = ["def check(candidate):"]
        for inputs in _INPUTS[self.kind.takes]:
            call = ", ".join(map(repr, inputs))
            expected = self.kind.oracle(*inputs, *constant)
            lines.append(f"    assert candidate({call}) == {expected!r}")
        return "\n".join(lines) + "\n"

    @property
    def held_out(self) -> bool:
        """Whether this combination is kept out of training, by hash.

        One in eight of those with a constant; of a kind without one, one of its argument names.
        """
        if self.arguments not in ARGUMENTS[self.kind.takes]:
            return False
        if self.constant is None:
            names = ARGUMENTS[self.kind.takes]
            return names.index(self.arguments) == _digest(self.kind.name) % len(names)
        return _digest(f"{self.kind.name}/{self.arguments}/{self.constant}") % 8 == 0

    def _fill(self, text: str) -> str:
        v, _, w = self.arguments.partition(", ")
        return text.format(v=v, w=w, k=self.constant)


def _digest(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0]


def all_tasks() -> tuple[Task, ...]:
    """Return every combination of kind, argument names and constant, in a fixed order."""
    return tuple(
        Task(kind, arguments, constant)
        for kind in KINDS
        for arguments in ARGUMENTS[kind.takes] + MORE_ARGUMENTS[kind.takes]
        for constant in (CONSTANTS if kind.has_constant else (None,))
    )


def shipped_tasks(limit: int = 240) -> tuple[Task, ...]:
    """Return held-out tasks, spread over the kinds as evenly as the hash allows."""
    by_kind: dict[str, list[Task]] = {}
    for task in all_tasks():
        if task.held_out:
            by_kind.setdefault(task.kind.name, []).append(task)
    chosen: list[Task] = []
    while len(chosen) < limit and any(by_kind.values()):
        # From the middle: neighbours in a list differ only in the constant.
        chosen += [tasks.pop(len(tasks) // 2) for tasks in by_kind.values() if tasks]
    return tuple(chosen[:limit])


def humaneval_rows(tasks: tuple[Task, ...]) -> list[HumanEvalRow]:
    """Return the tasks as rows of HumanEval's schema, numbered in order."""
    return [
        HumanEvalRow(
            task_id=f"Testbed/{number}",
            prompt=task.prompt,
            entry_point=task.entry_point,
            canonical_solution=task.solution,
            test=task.test,
        )
        for number, task in enumerate(tasks)
    ]
