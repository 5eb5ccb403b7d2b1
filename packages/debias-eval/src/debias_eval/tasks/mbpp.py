"""MBPP: 974 short functions from one sentence (Austin et al. 2021, arXiv 2108.07732).

The test split is ``task_id`` 11-510, taken by id and never by position; ids 2, 3 and 4 are the
shots. ``test_setup_code`` goes after the solution: before it, tasks 367 and 927 are impossible.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.errors import InputError
from debias_eval.jsonl import read_models
from debias_eval.protocol import Protocol
from debias_eval.tasks._programs import OneProgramTask, program_text
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from debias_eval.execution import Program

__all__ = ["Mbpp", "MbppSanitized", "function_under_test"]

_TEST_IDS = range(11, 511)
_SHOT_IDS = (2, 3, 4)


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    task_id: int
    text: str | None = None
    prompt: str | None = None  # the sanitized file's name for ``text``
    code: str
    test_list: list[str]
    test_setup_code: str = ""
    test_imports: list[str] = []


def function_under_test(tests: list[str], code: str) -> str | None:
    """Return the function that the tests call: the first name they call that ``code`` defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\w" in somebody's solution is not our business
        return _first_call(tests, defined_names(code))


def defined_names(code: str) -> set[str]:
    """Return the functions and classes that ``code`` defines; none where it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def _first_call(tests: list[str], defined: set[str]) -> str | None:
    try:
        trees = [ast.parse(test) for test in tests]
    except (SyntaxError, ValueError, RecursionError):
        return None
    for tree in trees:
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in defined
            ):
                return node.func.id
    return None


def _question(text: str, tests: list[str]) -> str:
    shown = "\n".join(tests)
    return (
        f"You are an expert Python programmer, and here is your task: {text} "
        f"Your code should pass these tests:\n\n{shown}\n[BEGIN]\n"
    )


@tasks.register("mbpp")
class Mbpp(OneProgramTask):
    """pass@1 on the test split, three shots."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="mbpp",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="short Python functions, test split (task_id 11-510)",
        data=("mbpp/mbpp.jsonl",),
    )
    split: ClassVar[range | None] = _TEST_IDS

    def protocol(self) -> Protocol:
        """Return the paper's three-shot prompt, greedy."""
        return Protocol(stop=("[DONE]",), max_new_tokens=512, extraction="program", split="test")

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return the tasks of the split, with the shots in front.

        ``split: all`` keeps every id. So does a file that lacks part of the published test split:
        it is one of the user's own, and its ids mean nothing. The shots are part of each prompt:
        they are rows of the same file.
        """
        rows = read_models(path, _Row)
        if protocol.split not in ("test", "all"):
            raise InputError(f"mbpp: split {protocol.split!r}; give 'test' or 'all'")
        by_id = {row.task_id: row for row in rows}
        published = self.split is not None and by_id.keys() >= set(self.split)
        wanted = [
            row
            for row in rows
            if protocol.split == "all" or not published or row.task_id in _TEST_IDS
        ]
        shots = "".join(
            _question(self._text(path, by_id[number]), by_id[number].test_list)
            + f"{by_id[number].code}\n[DONE]\n\n"
            for number in _SHOT_IDS
            if number in by_id
        )
        items = [self._item(path, row, shots) for row in wanted]
        unique_ids(path, items)
        return items

    def _text(self, path: Path, row: _Row) -> str:
        text = row.text if row.text is not None else row.prompt
        if text is None:
            raise InputError(f"{path}: task {row.task_id}: text: field required")
        return text

    def _item(self, path: Path, row: _Row, shots: str) -> Item:
        entry = function_under_test(row.test_list, row.code)
        if entry is None:
            raise InputError(
                f"{path}: task {row.task_id}: test_list: calls no function that `code` defines"
            )
        return Item(
            str(row.task_id),
            shots + _question(self._text(path, row), row.test_list),
            {
                "entry_point": entry,
                "test": "\n".join([*row.test_imports, *row.test_list]),
                "setup": row.test_setup_code,
                "canonical_solution": row.code,
            },
        )

    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return the extracted code with the item's assertions."""
        # The prompt is English: a completion is a program of its own under either extraction. One
        # that is code already is kept whole: the tests may use its classes (tasks 367, 601, 927).
        bare = Item(item.id, "", item.fields)
        is_code = item.text("entry_point") in defined_names(completion)
        return execution.Program(
            id=item.id,
            solution=completion if is_code else program_text(bare, completion, protocol.extraction),
            test=item.text("test"),
            entry_point=item.text("entry_point"),
            style="asserts",
            setup=item.text("setup"),
        )


@tasks.register("mbpp_sanitized")
class MbppSanitized(Mbpp):
    """pass@1 on the hand-checked file of 427 tasks: another benchmark, another name."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="mbpp_sanitized",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="short Python functions, hand-checked (427)",
        data=("mbpp/sanitized-mbpp.jsonl",),
    )
    split: ClassVar[range | None] = None
