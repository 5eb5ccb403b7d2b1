"""LiveCodeBench: contest problems by date (Jain et al. 2024, arXiv 2403.07974).

A row is ``{"question_id", "question_title", "question_content", "platform", "contest_date",
"starter_code", "difficulty", "public_test_cases", "private_test_cases", "metadata"}``, as in
https://huggingface.co/datasets/livecodebench/code_generation_lite. A question is about a function
if its metadata names one; all others read standard input, each test in a process of its own.

Chat models are asked for a fenced block, as LiveCodeBench asks them. Protocol ``lcb-v5-base`` is
for base models: headings in place of requests, behind a worked example, and the answer is what
follows. LiveCodeBench does the same with examples of its own, so scores of base models are ours
alone.

A file of finished prompts, ``{"question_id", "contest_date", "prompt", "tests": {"fname", "md5"}}``
as QwQ's evaluation has them, can be asked and not judged: its tests lie elsewhere. Every question
is then listed as not scored.

Release and dates are part of the name, since they decide what is asked: ``livecodebench_v5`` is
the first five files, ``livecodebench_v5_2024-08-01_2025-02-01`` what of it falls into these days,
both included. Questions of the errata list are left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from debias_eval import execution  # lazy: its parts load on first use
from debias_eval.code.fences import last_fenced_block
from debias_eval.code.preamble import with_preamble
from debias_eval.errors import InputError, UnknownNameError
from debias_eval.jsonl import read_models, read_rows
from debias_eval.profiles import PROFILES
from debias_eval.protocol import Protocol
from debias_eval.tasks._lcb_prompts import begun_answer, question
from debias_eval.tasks._lcb_tests import Case, TestsError, all_cases
from debias_eval.tasks._programs import Expectations, OneProgramTask
from debias_eval.tasks._rows import unique_ids
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from debias_eval.execution import Executor, Program

__all__ = ["LiveCodeBench"]

# https://github.com/LiveCodeBench/LiveCodeBench/blob/main/ERRATA.md: several right answers,
# interactive, or wrong tests.
_ERRATA = frozenset({
    "abc311_c", "abc326_d", "abc327_b", "abc333_e", "abc343_e", "abc362_c",
    "find-words-containing-character", "find-the-peaks",
    "generate-binary-strings-without-adjacent-zeros",
    "abc337_e", "abc355_e",
    "abc350_c", "apply-operations-to-make-string-empty", "most-frequent-ids",
})  # fmt: skip
_SIZES = (400, 511, 612, 713, 880, 1055)
_FILES = ("test.jsonl", *(f"test{number}.jsonl" for number in range(2, 7)))
_MAX_LINE = 256 << 20  # rows carry their tests
_WINDOW = re.compile(r"(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})")
_ENTRY = "lcb_entry"
_EXTRACTIONS = ("completion", "last_block")


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    question_id: str
    question_title: str = ""
    question_content: str
    platform: str = ""
    contest_date: datetime
    starter_code: str = ""
    difficulty: str = ""
    public_test_cases: str
    private_test_cases: str
    metadata: str = "{}"


class _Elsewhere(BaseModel):
    model_config = ConfigDict(extra="ignore")
    fname: str


class _FinishedPrompt(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    question_id: str
    contest_date: datetime
    prompt: str
    tests: _Elsewhere


class LiveCodeBench(OneProgramTask):
    """pass@1 over ten samples a question."""

    release: ClassVar[int]
    window: ClassVar[tuple[date, date] | None] = None
    takes_file: ClassVar[bool] = True

    @classmethod
    def variant(cls, suffix: str) -> LiveCodeBench | None:
        """Return the release within the dates ``FIRST_LAST``, or None if it is no such suffix."""
        match = _WINDOW.fullmatch(suffix)
        if match is None:
            return None
        name = f"{cls.info.name}_{suffix}"
        try:
            first, last = date.fromisoformat(match[1]), date.fromisoformat(match[2])
        except ValueError as error:
            raise InputError(f"task {name!r}: {error}") from error
        if last < first:
            raise InputError(f"task {name!r}: {last} is before {first}")
        fields = {"info": replace(cls.info, name=name), "window": (first, last)}
        return cast("LiveCodeBench", type(cls.__name__, (cls,), fields)())

    def protocol(self) -> Protocol:
        """Return LiveCodeBench's question to chat models, ten samples at temperature 0.2."""
        return Protocol().with_changes(PROFILES["lcb-v5"]).with_changes({"profile": "lcb-v5"})

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return the questions of the release (a folder's files, or one file) and the dates."""
        if path.is_file() and _holds_finished_prompts(path):
            items = self._finished(path)
        else:
            items = self._questions(path, protocol)
        if not items:
            raise InputError(f"{path}: no question of {self.info.name}")
        unique_ids(path, items)
        return items

    def _questions(self, path: Path, protocol: Protocol) -> list[Item]:
        files = [path / name for name in self.companions] if path.is_dir() else [path]
        rows = [row for file in files for row in read_models(file, _Row, max_line=_MAX_LINE)]
        ask = begun_answer if protocol.extraction == "completion" else question
        return [
            self._item(path, row, ask(row.question_content, row.starter_code))
            for row in rows
            if not {row.question_id, row.question_title} & _ERRATA and self._in_window(row)
        ]

    def _finished(self, path: Path) -> list[Item]:
        return [
            Item(
                row.question_id,
                row.prompt,
                {"contest_date": row.contest_date.date().isoformat(), "file": row.tests.fname},
            )
            for row in read_models(path, _FinishedPrompt)
            if row.question_id not in _ERRATA and self._in_window(row)
        ]

    def _in_window(self, row: _Row | _FinishedPrompt) -> bool:
        if self.window is None:
            return True
        return self.window[0] <= row.contest_date.date() <= self.window[1]

    def _item(self, path: Path, row: _Row, prompt: str) -> Item:
        try:
            metadata = json.loads(row.metadata)
            function = metadata.get("func_name")
        except (ValueError, AttributeError) as error:
            raise InputError(f"{path}: question {row.question_id}: metadata: {error}") from error
        if function is not None and not str(function).isidentifier():
            raise InputError(
                f"{path}: question {row.question_id}: metadata: func_name {function!r}"
            )
        return Item(
            row.question_id,
            prompt,
            {
                "function": function,
                "contest_date": row.contest_date.date().isoformat(),
                "platform": row.platform,
                "difficulty": row.difficulty,
                "public_test_cases": row.public_test_cases,
                "private_test_cases": row.private_test_cases,
            },
        )

    def expectations(self, items: Sequence[Item], executor: Executor) -> Expectations:  # noqa: ARG002
        """Return the questions whose tests cannot be read, with the reason."""
        broken = {}
        for item in items:
            try:
                self.cases(item)
            except TestsError as error:
                broken[item.id] = str(error)
        return Expectations({}, broken)

    def cases(self, item: Item) -> tuple[Case, ...]:
        """Return the tests of a question, public ones first.

        Raises:
            TestsError: They cannot be read.
        """
        if "file" in item.fields:
            raise TestsError(f"its tests are in {item.text('file')}, and only prompts were given")
        functional = item.fields["function"] is not None
        cases = all_cases(
            item.text("public_test_cases"), item.text("private_test_cases"), functional=functional
        )
        if functional:
            for case in cases:
                _call(case)
        return cases

    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return the answer's code behind the usual imports, with the question's tests."""
        code = _answer(completion, protocol.extraction)
        cases = self.cases(item)
        if item.fields["function"] is None:
            return execution.Program(
                id=item.id,
                solution=with_preamble(code),
                test="",
                entry_point=None,
                style="stdin",
                inputs=tuple([case.input] for case in cases),
                expected=tuple(case.output for case in cases),
            )
        calls = [_call(case) for case in cases]
        return execution.Program(
            id=item.id,
            solution=_callable(with_preamble(code), item.text("function")),
            test="",
            entry_point=_ENTRY,
            style="io",
            inputs=tuple(args for args, _ in calls),
            expected=tuple(value for _, value in calls),
            compare="exact",
            fresh=True,
        )


def _holds_finished_prompts(path: Path) -> bool:
    for _, row in read_rows(path, max_line=_MAX_LINE):
        return "prompt" in row
    return False


def _answer(text: str, extraction: str) -> str:
    if extraction == "last_block":
        return last_fenced_block(text)
    if extraction == "completion":
        return text
    raise UnknownNameError("extraction", extraction, _EXTRACTIONS)


def _callable(code: str, function: str) -> str:
    """Return `code` with the function under a name of ours, a method's instance made."""
    owner = "Solution()." if "class Solution" in code else ""
    return f"{code}\n\n{_ENTRY} = {owner}{function}\n"


def _call(case: Case) -> tuple[list[object], object]:
    """Return the arguments, one JSON value a line, and the expected value."""
    try:
        return [json.loads(line) for line in case.input.split("\n")], json.loads(case.output)
    except ValueError as error:
        raise TestsError(f"a functional test is not JSON: {error}") from error


def _register(release: int) -> None:
    name = f"livecodebench_v{release}"
    info = TaskInfo(
        name=name,
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary=f"contest problems, release v{release} ({_SIZES[release - 1]}); dates may follow",
        data=("livecodebench",),
    )
    fields = {"info": info, "release": release, "companions": _FILES[:release]}
    tasks.register(name)(type(f"LiveCodeBenchV{release}", (LiveCodeBench,), fields))


for _release in range(1, len(_SIZES) + 1):
    _register(_release)
