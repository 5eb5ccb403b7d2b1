"""LiveCodeBench on rows made here, in the published encoding of both kinds of question."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debias_eval import EvalSettings, GradeSettings, TaskSpec, grade
from debias_eval.cli.app import app
from debias_eval.errors import InputError, UnknownNameError
from debias_eval.preparing import prepare
from debias_eval.profiles import resolve_protocol
from debias_eval.tasks._lcb_tests import TestsError, all_cases, text_of_pickle
from debias_eval.tasks.registry import get_task

FAST = EvalSettings(grade=GradeSettings(resamples=200))


def packed(tests: list[dict[str, str]]) -> str:
    """Encode private tests as the published files do."""
    raw = pickle.dumps(json.dumps(tests))
    return base64.b64encode(zlib.compress(raw)).decode("ascii")


def question(
    name: str, public: list[tuple[str, str]], private: list[tuple[str, str]], **fields: str
) -> dict[str, object]:
    """Make a row; with `function` it is about a function, else about standard input."""
    function = fields.pop("function", None)
    kind = "stdin" if function is None else "functional"

    def tests(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"input": i, "output": o, "testtype": kind} for i, o in pairs]

    row = {
        "question_title": name,
        "question_content": f"What is {name}?",
        "platform": "atcoder" if function is None else "leetcode",
        "question_id": name,
        "contest_id": "c1",
        "contest_date": "2024-09-01T00:00:00",
        "starter_code": "" if function is None else f"class Solution:\n    def {function}(self):",
        "difficulty": "easy",
        "public_test_cases": json.dumps(tests(public)),
        "private_test_cases": packed(tests(private)),
        "metadata": json.dumps({} if function is None else {"func_name": function}),
    }
    return row | fields


DOUBLE = question("double", [("2\n", "4\n")], [("5\n3\n", "10"), ("7", "14\n")])
ADD = question("add", [("1\n[2, 3]", "[3, 4]")], [("0\n[]", "[]")], function="addTo")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fenced(code: str) -> str:
    return f"First try:\n```python\nprint('no')\n```\nBetter:\n```python\n{code}\n```\nDone."


def statuses(tmp_path: Path, row: dict[str, object], answers: list[str]) -> list[str]:
    data = write(tmp_path / "data.jsonl", [row])
    completions = write(
        tmp_path / "c.jsonl", [{"id": row["question_id"], "completion": text} for text in answers]
    )
    out = tmp_path / "out"
    grade("livecodebench_v1", completions, data=data, out=out, settings=FAST)
    lines = (out / "livecodebench_v1" / "verdicts.jsonl").read_text().splitlines()
    return [json.loads(line)["status"] for line in lines]


def test_standard_input_questions(tmp_path: Path) -> None:
    answers = [
        fenced("n = int(input())\nprint(n * 2)"),
        fenced("import sys\nif __name__ == '__main__':\n    n, *_ = map(int, sys.stdin)"
               "\n    sys.stdout.write(f'{n * 2}.0  \\n\\n')\n    sys.exit(0)"),
        fenced("from __future__ import annotations\nprint(reduce(mul, [2, int(input())]))"),
        fenced("print(4)"),
        fenced("print(int(input()) * 2)\nraise ValueError"),
        fenced("import os\nprint(int(input()) * 2)\nos._exit(0)"),
        fenced("while True: pass"),
        "print(int(input()) * 2)",
        "",
    ]  # fmt: skip
    found = statuses(tmp_path, DOUBLE, answers[:6] + answers[7:])
    assert found == ["passed"] * 3 + ["failed"] * 5


def test_function_questions(tmp_path: Path) -> None:
    method = "class Solution:\n    def addTo(self, n: int, xs: List[int]) -> List[int]:\n        "
    answers = [
        fenced(method + "return [n + x for x in xs]"),
        fenced(method + "return tuple(n + x for x in xs)"),
        fenced("def addTo(n, xs): return [n + x for x in xs]"),
        fenced(method + "return [n + x + 1e-9 for x in xs]"),
        fenced(method + "return [3, 4]"),
        fenced("class Any:\n    def __eq__(s, o): return True\n" + method + "return Any()"),
        fenced("class Solution: pass"),
    ]
    assert statuses(tmp_path, ADD, answers) == ["passed"] * 3 + ["failed"] * 4


def test_base_models_continue_a_heading_and_their_code_is_what_follows(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [DOUBLE, ADD])
    task = get_task("livecodebench_v5")
    protocol = resolve_protocol(task.protocol(), "lcb-v5-base")
    assert not protocol.chat_template
    double, add = task.load(data, protocol)
    for item, row in ((double, DOUBLE), (add, ADD)):
        shown = protocol.plain_text(item.prompt)
        assert shown.endswith("### Answer\n\n")
        assert shown.count("### Question") == 2  # a worked example, then the question
        assert str(row["question_content"]) in shown
        assert str(row["starter_code"]) in shown
        assert "```" not in shown
    programs = [
        task.program(double, "print(2 * int(input()))\n\n", protocol),
        task.program(
            add, "class Solution:\n    def addTo(self, n, xs):\n        return []", protocol
        ),
    ]
    assert "print(2 * int(input()))" in programs[0].solution
    assert "Solution().addTo" in programs[1].solution


def test_a_file_of_both_kinds_through_the_command(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [DOUBLE, ADD])
    good = {
        "double": fenced("print(2 * int(input()))"),
        "add": fenced("class Solution:\n    def addTo(self, n, xs): return [n + x for x in xs]"),
    }
    completions = write(
        tmp_path / "c.jsonl", [{"id": name, "completion": text} for name, text in good.items()]
    )
    options = ["--task", "livecodebench_v5", "--data", str(data), "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(app, ["grade", *options, "--completions", str(completions), "--json"])
    assert done.exit_code == 0, done.output
    row = json.loads((tmp_path / "o" / "results.json").read_text())["benchmarks"][
        "livecodebench_v5"
    ]
    assert (row["n"], row["k"], row["score"]) == (2, 2, 1.0)
    assert row["details"]["num_unsplit"] == 0


def test_releases_dates_and_errata(tmp_path: Path) -> None:
    folder = tmp_path / "livecodebench"
    folder.mkdir()
    old = DOUBLE | {"question_id": "old", "contest_date": "2023-05-07T00:00:00"}
    listed = [DOUBLE | {"question_id": "abc311_c"},
              ADD | {"question_id": "3000", "question_title": "find-the-peaks"}]  # fmt: skip
    write(folder / "test.jsonl", [old, *listed])
    write(folder / "test2.jsonl", [DOUBLE])

    def ids(name: str) -> list[str]:
        return [item.id for item in prepare(TaskSpec(name), tmp_path, tmp_path, None)[1]]

    assert ids("livecodebench_v1") == ["old"]
    assert ids("livecodebench_v2") == ["old", "double"]
    assert ids("livecodebench_v2_2024-09-01_2024-09-01") == ["double"]
    assert get_task("livecodebench_v2_2024-09-01_2024-09-01").info.name.endswith("2024-09-01")
    with pytest.raises(InputError, match="no question of"):
        ids("livecodebench_v1_2024-01-01_2024-02-01")
    with pytest.raises(InputError, match="is before"):
        get_task("livecodebench_v1_2024-03-01_2024-02-01")
    with pytest.raises(InputError, match="month must be in"):
        get_task("livecodebench_v1_2024-13-01_2024-13-02")
    with pytest.raises(UnknownNameError):
        get_task("livecodebench_v7")


def test_the_protocol_is_the_published_one(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [DOUBLE, ADD])
    benchmark, items = prepare(TaskSpec("livecodebench_v5", data=data), tmp_path, None, None)
    sampling = benchmark.protocol.sampling
    assert (sampling.n, sampling.temperature, sampling.top_p) == (10, 0.2, 0.95)
    assert benchmark.protocol.extraction == "last_block"
    assert "# YOUR CODE HERE" in items[0].prompt
    assert "class Solution:\n    def addTo(self):" in items[1].prompt


def test_finished_prompts_are_asked_and_not_scored(tmp_path: Path, shared_dir: Path) -> None:
    path = shared_dir / "data" / "livecodebench_v5_prompts" / "livecodebench_v5.jsonl"
    name = "livecodebench_v5_2024-08-01_2024-08-31"
    task = get_task(name)
    items = task.load(path, task.protocol())
    asks = ["starter code to write the solution", "Read the inputs from stdin"]
    assert all(sum(ask in item.prompt for ask in asks) == 1 for item in items)
    answers = [{"id": item.id, "completion": fenced("print(1)")} for item in items]
    completions = write(tmp_path / "c.jsonl", answers)
    grade(name, completions, data=path, out=tmp_path / "out", settings=FAST)
    row = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"][name]
    assert row["score"] is None
    verdicts = (tmp_path / "out" / name / "verdicts.jsonl").read_text().splitlines()
    assert len(verdicts) == len(items) > 0
    assert all("only prompts were given" in line for line in verdicts)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch pwned",))


@pytest.mark.parametrize(
    "value", [_Evil(), ["text"], {"a": "b"}, 7, b"text", ("a", "b"), None, os.getcwd]
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_of_anything_but_a_string_are_refused(value: object, protocol: int) -> None:
    with pytest.raises(TestsError):
        text_of_pickle(pickle.dumps(value, protocol))


@pytest.mark.parametrize("text", ["", "[]", "a" * 300, "é \ud800 \n", "x" * 70_000])
def test_pickled_strings_are_read_as_pickle_reads_them(text: str) -> None:
    for protocol in range(6):
        raw = pickle.dumps(text, protocol)
        assert text_of_pickle(raw) == pickle.loads(raw)


def test_private_tests_in_either_encoding_and_in_none() -> None:
    tests = [{"input": "1", "output": "2", "testtype": "stdin"}]
    for private in (json.dumps(tests), packed(tests)):
        assert [*all_cases("[]", private, functional=False)] == [("1", "2")]
    bomb = base64.b64encode(zlib.compress(b"x" * 100)[:-3]).decode()
    for broken in ("nonsense", bomb, packed([])[:-8], "[1]", json.dumps([{"input": "1"}])):
        with pytest.raises(TestsError):
            all_cases("[]", broken, functional=False)
    with pytest.raises(TestsError, match="a stdin test in a functional question"):
        all_cases("[]", json.dumps(tests), functional=True)


def test_a_question_with_unreadable_tests_is_listed_and_not_scored(tmp_path: Path) -> None:
    broken = DOUBLE | {"private_test_cases": base64.b64encode(zlib.compress(b"cos\n")).decode()}
    assert statuses(tmp_path, broken, ["x"]) == ["gold_error"]
