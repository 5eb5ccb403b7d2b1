"""HumanEval+ and MBPP+: small files of one's own, and the published ones where they are."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, grade
from debias_eval.doctor import reference_answers
from debias_eval.errors import InputError
from debias_eval.preparing import prepare
from debias_eval.tasks._expected import cache_folder
from debias_eval.tasks._mbpp_plus_types import typed_arguments

FAST = EvalSettings(grade=GradeSettings(resamples=200))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBIAS_CACHE_DIR", str(tmp_path / "cache"))


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problem(**fields: object) -> dict[str, object]:
    row: dict[str, object] = {
        "task_id": "T/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return x + 1\n",
        "base_input": [[1], [2]],
        "plus_input": [[-1], [0]],
        "atol": 0,
    }
    return row | fields


def verdicts(
    tmp_path: Path, task: str, row: dict[str, object], answers: list[str]
) -> list[dict[str, object]]:
    data = write(tmp_path / "d.jsonl", [row])
    completions = write(
        tmp_path / "c.jsonl", [{"task_id": row["task_id"], "completion": a} for a in answers]
    )
    grade(task, completions, data=data, out=tmp_path / "o", settings=FAST)
    lines = (tmp_path / "o" / task / "verdicts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_base_and_further_inputs_are_two_verdicts(tmp_path: Path) -> None:
    answers = [
        "    return x + 1\n",
        "    return x + 1 if x > 0 else 0\n",
        "    return 0\n",
        "    class E:\n        __eq__ = lambda *a: True\n    return E()\n",
        "    import os\n    os._exit(0)\n",
        "",
    ]
    rows = verdicts(tmp_path, "humaneval_plus", problem(), answers)
    assert [row["status"] for row in rows] == ["passed", *["failed"] * 3, "error", "error"]
    assert [row["parts"] for row in rows][:3] == [
        {"base": "passed", "plus": "passed"},
        {"base": "passed", "plus": "failed"},
        {"base": "failed", "plus": "failed"},
    ]
    assert all(row["split"] for row in rows)
    results = json.loads((tmp_path / "o" / "results.json").read_text())
    row = results["benchmarks"]["humaneval_plus"]
    assert (row["n"], row["k"]) == (6, 1)
    assert row["details"]["base"]["k"] == 2
    assert row["protocol"]["profile"] == "evalplus"


def test_any_root_will_do_for_find_zero(tmp_path: Path) -> None:
    row = problem(
        prompt="def find_zero(xs):\n",
        entry_point="find_zero",
        canonical_solution="    return 1.0\n",
        base_input=[[[2, -3, 1]]],  # 2 - 3x + x²: 1 and 2
        plus_input=[],
        atol=1e-4,
    )
    answers = [f"    return {text}\n" for text in ("2.0", "1", "1.5", "None", "float('nan')")]
    found = [row["status"] for row in verdicts(tmp_path, "humaneval_plus", row, answers)]
    assert found == ["passed", "passed", "failed", "failed", "failed"]


def test_floats_infinities_and_types_that_json_lacks(tmp_path: Path) -> None:
    row = problem(
        task_id="Mbpp/2",  # its arguments are tuples
        prompt='"""Add."""\n',
        canonical_solution="def f(x, y):\n    assert type(x) is tuple\n    return x[0] * y[0]\n",
        base_input=[[[0.1], [3]]],
        plus_input=[[[math.inf], [2.0]], [[1], [2]]],
    )
    answers = [
        "def f(x, y):\n    return sum(x[0] for _ in range(int(y[0])))\n",
        "def f(x, y):\n    return x[0] * y[0] + 1e-3\n",
    ]
    found = [row["status"] for row in verdicts(tmp_path, "mbpp_plus", row, answers)]
    assert found == ["passed", "failed"]
    items = (tmp_path / "o" / "mbpp_plus" / "items.jsonl").read_text()
    assert "Infinity" not in items


def test_what_references_return_is_kept_by_content(tmp_path: Path) -> None:
    answer = ["    return x + 1\n"]
    assert verdicts(tmp_path, "humaneval_plus", problem(), answer)[0]["status"] == "passed"
    kept = {file: file.read_bytes() for file in cache_folder().iterdir()}
    assert len(kept) == 2
    for file in kept:
        file.write_bytes(kept[file][:-9])  # damaged: found, and made again
    assert verdicts(tmp_path, "humaneval_plus", problem(), answer)[0]["status"] == "passed"
    changed = problem(canonical_solution="    return x\n")
    assert verdicts(tmp_path, "humaneval_plus", changed, answer)[0]["status"] == "failed"
    assert len(list(cache_folder().iterdir())) == 4


def test_a_reference_that_fails_is_listed_and_not_scored(tmp_path: Path) -> None:
    row = problem(canonical_solution="    return 1 // x\n")
    (found,) = verdicts(tmp_path, "humaneval_plus", row, ["    return 1\n"])
    assert found["status"] == "gold_error"
    assert "ZeroDivisionError" in str(found["detail"])


def test_inputs_with_a_huge_answer_are_left_out(tmp_path: Path) -> None:
    row = problem(
        canonical_solution="    return 'a' * x\n", plus_input=[[3], [20 << 20], [9 << 20]]
    )
    answers = ["    return 'a' * x\n", "    return 'aaa'\n"]
    found = [row["status"] for row in verdicts(tmp_path, "humaneval_plus", row, answers)]
    assert found == ["passed", "failed"]


@pytest.mark.parametrize(
    ("task_id", "args", "typed"),
    [
        ("Mbpp/2", [[1], [2]], [(1,), (2,)]),
        ("Mbpp/63", [[[1, 2]]], [[(1, 2)]]),
        ("Mbpp/106", [[1], [2]], [[1], (2,)]),
        ("Mbpp/115", [[[1], [], 3]], [[{1}, {}, {}]]),
        ("Mbpp/124", ["1", "1j"], [1.0, 1j]),
        ("Mbpp/307", [[1], 2, 3], [(1,), 2, 3]),
        ("Mbpp/401", [[[1], [2]]], [((1,), (2,))]),
        ("Mbpp/580", [[1, [2, []]]], [(1, (2, ()))]),
        ("Mbpp/722", [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        ("Mbpp/3", [[1]], [[1]]),
        ("Other/2", [[1]], [[1]]),
    ],
)
def test_types_by_task_number(task_id: str, args: list[object], typed: list[object]) -> None:
    assert typed_arguments(task_id, [args]) == [typed]


def test_files_that_are_not_of_the_schema(tmp_path: Path) -> None:
    for row, message in (
        (problem(base_input=[], plus_input={}), "no inputs"),
        (problem(base_input=3), "base_input"),
        ({"task_id": "T/0"}, "prompt"),
    ):
        data = write(tmp_path / "d.jsonl", [row])
        with pytest.raises(InputError, match=message):
            prepare(TaskSpec("humaneval_plus", data=data), tmp_path, None, None)


@pytest.mark.parametrize(("name", "count"), [("humaneval_plus", 164), ("mbpp_plus", 378)])
def test_published_files(name: str, count: int, shared_dir: Path, tmp_path: Path) -> None:
    spec = TaskSpec(name, protocol={"extraction": "completion"})
    benchmark, items = prepare(spec, tmp_path, shared_dir / "data", None)
    assert len(items) == count
    few = items[20:22]
    responses = reference_answers(benchmark.task, few)
    assert responses is not None
    rows = benchmark.task.grade(few, responses, benchmark.protocol, GradeSettings())
    assert [row["status"] for row in rows] == ["passed"] * 2


@pytest.mark.long
@pytest.mark.parametrize("name", ["humaneval_plus", "mbpp_plus"])
def test_every_reference_solution_passes(name: str, shared_dir: Path, tmp_path: Path) -> None:
    spec = TaskSpec(name, protocol={"extraction": "completion"})
    benchmark, items = prepare(spec, tmp_path, shared_dir / "data", None)
    responses = reference_answers(benchmark.task, items)
    assert responses is not None
    rows = benchmark.task.grade(items, responses, benchmark.protocol, GradeSettings())
    assert [row for row in rows if row["status"] != "passed"] == []


@pytest.mark.long
def test_recorded_completions_regrade_to_their_published_verdicts(
    shared_dir: Path, tmp_path: Path
) -> None:
    folder = shared_dir / "data" / "parity" / "qwen2.5-coder-1.5b-humaneval"
    published = json.loads((folder / "generated_eval_results.json").read_text())["eval"]
    completions = folder / "generated.jsonl"
    grade("humaneval_plus", completions, out=tmp_path, data_dir=shared_dir / "data", settings=FAST)
    lines = (tmp_path / "humaneval_plus" / "verdicts.jsonl").read_text().splitlines()
    ours = {row["id"]: row["parts"] for row in map(json.loads, lines)}
    theirs = {
        name: {group: runs[0][f"{group}_status"] == "pass" for group in ("base", "plus")}
        for name, runs in published.items()
    }
    found = {
        name: {group: status == "passed" for group, status in parts.items()}
        for name, parts in ours.items()
    }
    assert found == theirs
