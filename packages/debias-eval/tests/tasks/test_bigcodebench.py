"""BigCodeBench on rows made here; the published files where they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, grade
from debias_eval.code.environment import imported_modules, inspect_environment
from debias_eval.doctor import reference_answers
from debias_eval.errors import InputError
from debias_eval.execution import Program, SandboxUnavailableError, available_levels, probe
from debias_eval.execution.fallback import expected_tests
from debias_eval.preparing import prepare

TEST = """
import os, unittest
class TestCases(unittest.TestCase):
    def setUp(self):
        with open("number.txt", "w") as file:
            file.write("20")
    def test_file(self):
        self.assertEqual(task_func("number.txt"), 21)
    def test_missing(self):
        with self.assertRaises(FileNotFoundError):
            task_func("none.txt")
"""
ROW = {
    "task_id": "BigCodeBench/0",
    "complete_prompt": 'def task_func(path):\n    """One more than the number in a file."""\n',
    "instruct_prompt": "Write task_func(path): one more than the number in a file.",
    "canonical_solution": "    with open(path) as file:\n        return int(file.read()) + 1\n",
    "code_prompt": "import subprocess\ndef task_func(path):\n",
    "test": TEST,
    "entry_point": "task_func",
    "libs": "['subprocess']",
}
WHOLE = "import os\ndef task_func(path):\n    return int(open(path).read()) + 1\n"


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(tmp_path: Path, task: str, rows: list[dict[str, object]], answers: list[str]):
    if not probe("hardened").available:
        pytest.skip(f"needs level hardened: {probe('hardened').reason}")
    data = write(tmp_path / "d.jsonl", rows)
    completions = write(
        tmp_path / "c.jsonl",
        [{"task_id": row["task_id"], "completion": a} for row in rows for a in answers],
    )
    settings = EvalSettings(grade=GradeSettings(resamples=200))
    results = grade(
        task, completions, data=data, out=tmp_path / "o", settings=settings,
        protocol={"cpu_seconds": 20.0},
    )  # fmt: skip
    lines = (tmp_path / "o" / task / "verdicts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], results.benchmarks[task]


def test_bodies_and_whole_programs_beside_their_tests(tmp_path: Path) -> None:
    answers = [
        str(ROW["canonical_solution"]),
        WHOLE,
        "    return 21\n",
        "",
        "    import os\n    os._exit(0)\n",
        "    import unittest\n    raise unittest.SkipTest\n",
        "    class E(int):\n        __eq__ = lambda *a: True\n    open(path)\n    return E()\n",
        "    import subprocess\n    return int(subprocess.run(['cat', path], text=True,"
        " capture_output=True, check=bool(open(path))).stdout) + 1\n",
        "    import unittest.case as c\n    c.TestCase.assertEqual = lambda *a: None\n"
        "    open(path)\n    return 0\n",
    ]
    rows, result = run(tmp_path, "bigcodebench", [ROW], answers)
    passed = [row["status"] == "passed" for row in rows]
    assert passed == [True, True, False, False, False, False, False, True, False], rows
    assert not any(row["split"] for row in rows)
    assert result.details["num_unsplit"] == len(answers)
    assert "not split" in str(result.details["tests"])
    assert result.protocol["max_new_tokens"] == 1280


def test_answers_to_instructions(tmp_path: Path) -> None:
    answers = [f"Sure.\n```python\n{WHOLE}print(task_func('x'))\n```\n", "no code"]
    rows, _ = run(tmp_path, "bigcodebench_hard_instruct", [ROW], answers)
    assert rows[0]["status"] == "passed"
    assert rows[1]["status"] != "passed"


def test_tasks_without_their_libraries_are_listed_and_left_out(tmp_path: Path) -> None:
    lacking = ROW | {"task_id": "BigCodeBench/1", "libs": "['no_such_library', 'os']"}
    in_test = ROW | {"task_id": "BigCodeBench/2", "test": f"import other_library.x\n{TEST}"}
    rows, result = run(tmp_path, "bigcodebench", [ROW, lacking, in_test], [WHOLE])
    assert [row["status"] for row in rows] == ["passed", "infra_error", "infra_error"]
    assert (result.n, result.k) == (1, 1)
    assert result.details["missing_libraries"] == {
        "BigCodeBench/1": "no_such_library",
        "BigCodeBench/2": "other_library",
    }


def test_an_interpreter_is_asked_what_it_has() -> None:
    bare = inspect_environment("", ["json", "pytest", "no_such_library"])
    assert bare.missing == {"pytest", "no_such_library"}
    assert bare.libraries == ()
    whole = inspect_environment(sys.executable, ["json", "pytest"])
    assert whole.missing == frozenset()
    assert any((Path(folder) / "pytest").is_dir() for folder in whole.libraries)
    with pytest.raises(InputError, match="not an interpreter"):
        inspect_environment("/no/such/python", [])
    sources = ["import a.b, c\nfrom d.e import f\nfrom . import g", "def broken("]
    assert imported_modules(sources) == {"a", "c", "d"}


def test_tests_are_counted_as_they_run() -> None:
    text = (
        "import unittest\nclass Helper:\n    def test_no(self): pass\n"
        "class A(unittest.TestCase):\n    def test_a(self): pass\n    def test_a(self): pass\n"
        "class B(A):\n    def test_b(self): pass\n"
    )
    assert expected_tests(Program("p", "", text, "f", style="unittest")) == 3


def test_landlock_is_refused(tmp_path: Path) -> None:
    if "landlock" not in available_levels():
        pytest.skip("landlock does not work here")
    data = write(tmp_path / "d.jsonl", [ROW])
    completions = write(tmp_path / "c.jsonl", [{"id": ROW["task_id"], "completion": ""}])
    settings = EvalSettings(grade=GradeSettings(level="landlock"))
    with pytest.raises(SandboxUnavailableError, match="landlock refuses"):
        grade("bigcodebench", completions, data=data, out=tmp_path / "o", settings=settings)


@pytest.mark.parametrize(
    ("name", "count"), [("bigcodebench", 1140), ("bigcodebench_hard_instruct", 148)]
)
def test_published_files(name: str, count: int, shared_dir: Path, tmp_path: Path) -> None:
    benchmark, items = prepare(TaskSpec(name), tmp_path, shared_dir / "data", None)
    assert len(items) == count
    able = set(benchmark.task.unable(items, GradeSettings())) ^ {item.id for item in items}
    assert len(able) == (300 if count == 1140 else 33)


@pytest.mark.long
def test_reference_solutions_of_standard_library_tasks(shared_dir: Path, tmp_path: Path) -> None:
    if not probe("hardened").available:
        pytest.skip(f"needs level hardened: {probe('hardened').reason}")
    spec = TaskSpec("bigcodebench", protocol={"extraction": "completion"})
    benchmark, items = prepare(spec, tmp_path, shared_dir / "data", None)
    responses = reference_answers(benchmark.task, items)
    assert responses is not None
    rows = benchmark.task.grade(items, responses, benchmark.protocol, GradeSettings())
    assert sum(row["status"] == "passed" for row in rows) >= 293
