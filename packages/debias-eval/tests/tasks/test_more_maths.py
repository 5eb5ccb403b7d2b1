"""AIME, College Math, SVAMP and the maths problems with the gender swapped."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate, grade
from debias_eval.doctor import check_tasks
from debias_eval.errors import InputError, MissingError
from debias_eval.preparing import prepare
from debias_eval.profiles import resolve_protocol
from debias_eval.tasks.aime import Aime24
from debias_eval.tasks.registry import get_task

FAST = EvalSettings(grade=GradeSettings(workers=1, resamples=200))


def _jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_published_aime_files_load_and_grade(shared_dir: Path, tmp_path: Path) -> None:
    for name in ("aime24", "aime25"):
        benchmark, items = prepare(TaskSpec(name), tmp_path, shared_dir / "data", None)
        assert len({item.id for item in items}) == 30
        assert benchmark.protocol.sampling.n == 8
    checks = list(check_tasks(shared_dir / "data", names=["aime24", "aime25"]))
    assert [(check.state, check.passed) for check in checks] == [("ok", 30), ("ok", 30)]


def test_avg_at_n_clusters_by_problem(tmp_path: Path) -> None:
    data = _jsonl(
        tmp_path / "d.jsonl",
        [{"id": n, "problem": f"p{n}", "answer": f"{n:03}"} for n in range(12)],
    )
    # Problem n has min(n, 4) right answers out of 4: the spread is between problems.
    right = [min(n, 4) for n in range(12)]
    completions = _jsonl(
        tmp_path / "c.jsonl",
        [
            {"id": f"aime24/{n}", "completion": rf"so \boxed{{{n if k < right[n] else 999}}}"}
            for n in range(12)
            for k in range(4)
        ],
    )
    row = grade("aime24", completions, data=data, out=tmp_path / "o", settings=FAST).benchmarks[
        "aime24"
    ]
    assert row.score == pytest.approx(sum(right) / 48)
    assert (row.n, row.k, row.details["samples_per_problem"]) == (48, sum(right), 4)
    assert row.details["pass_at_k"] == {"1": pytest.approx(sum(right) / 48)}
    low, high = row.interval
    naive = 1.96 * (row.score * (1 - row.score) / 48) ** 0.5
    assert high - low > 2 * naive  # wider than 48 independent answers would have it


def test_the_details_say_how_the_answers_got_there(tmp_path: Path) -> None:
    data = _jsonl(
        tmp_path / "d.jsonl",
        [{"id": str(n), "question": f"{n}+1?", "answer": str(n + 1)} for n in range(20)],
    )
    completions = _jsonl(
        tmp_path / "c.jsonl",
        [
            {"id": str(n), "completion": f"We add.\n{n} + 1 = {n + 1 + (n < 5)}\nIt is {n + 1}."}
            for n in range(20)
        ],
    )
    settings = EvalSettings(grade=GradeSettings(workers=1, resamples=500))
    row = grade("math_jsonl", completions, data=data, out=tmp_path / "o", settings=settings)
    details = row.benchmarks["math_jsonl"].details["reasoning"]
    assert details["share_of_steps_whose_arithmetic_holds"] == 0.75
    assert details["interval"][0] < 0.75 < details["interval"][1]
    assert (details["num_steps_with_arithmetic"], details["mean_steps"]) == (20, 3.0)
    assert details["share_of_answers_with_arithmetic"] == 1.0
    assert row.benchmarks["math_jsonl"].score == 1.0


def test_copies_of_one_answer_are_one_sample(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="copies of one answer are one sample"):
        resolve_protocol(Aime24().protocol(), {"sampling": {"temperature": 0}})
    data = _jsonl(tmp_path / "d.jsonl", [{"problem": f"p{n}", "answer": str(n)} for n in range(10)])
    copies = _jsonl(
        tmp_path / "c.jsonl",
        [
            {"id": f"aime25/{n}", "completion": rf"\boxed{{{n % 7}}}"}
            for n in range(10)
            for _ in range(8)
        ],
    )
    row = grade("aime25", copies, data=data, out=tmp_path / "o", settings=FAST).benchmarks["aime25"]
    assert (row.n, row.k) == (10, 7)


def test_profiles_of_published_figures_fit_aime() -> None:
    greedy = resolve_protocol(Aime24().protocol(), "qwen2.5-math-cot")
    assert (greedy.sampling.n, greedy.sampling.temperature) == (1, 0.0)
    published = resolve_protocol(Aime24().protocol(), "deepseek-r1-avg64")
    assert (published.sampling.n, published.chat_template) == (64, True)
    assert len({greedy.hash, published.hash, Aime24().protocol().hash}) == 3


def test_college_math_is_brought_by_the_user(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"college_math/test\.jsonl.*different licences"):
        prepare(TaskSpec("college_math"), tmp_path, tmp_path, None)
    row = {"data_source": "college_math.algebra", "question_number": "1.1", "question": "1+1?"}
    data = _jsonl(tmp_path / "d.jsonl", [row | {"answer": "$2$"}, row | {"answer": 3}])
    _, items = prepare(TaskSpec("college_math", data=data), tmp_path, None, None)
    assert [item.id for item in items] == ["college_math/0", "college_math/1"]
    assert items[1].fields == {"answer": "3", "book": "college_math.algebra"}
    _jsonl(data, [row | {"answer": " "}])
    with pytest.raises(InputError, match="row 1: answer: is empty"):
        prepare(TaskSpec("college_math", data=data), tmp_path, None, None)


def test_svamp_as_published_and_as_lines(tmp_path: Path) -> None:
    rows = [
        {
            "ID": f"chal-{n}",
            "Body": "Each pack has 10 pens" + "." * (n % 2),
            "Question": "How many?",
            "Equation": "( 10.0 - 2.0 )",
            "Answer": answer,
            "Type": "Subtraction",
        }
        for n, answer in enumerate([145.0, 2.5, 3])
    ]
    published = tmp_path / "SVAMP.json"
    published.write_text(json.dumps(rows))
    lines = _jsonl(tmp_path / "test.jsonl", rows)
    loaded = [
        prepare(TaskSpec("svamp", data=p), tmp_path, None, None)[1] for p in (published, lines)
    ]
    assert loaded[0] == loaded[1]
    assert [item.fields["answer"] for item in loaded[0]] == ["145", "5/2", "3"]
    assert {item.prompt for item in loaded[0]} == {"Each pack has 10 pens. How many?"}
    published.write_text(json.dumps([rows[0], {"ID": "x"}]))
    with pytest.raises(InputError, match=r"SVAMP\.json:1\.Body: Field required"):
        prepare(TaskSpec("svamp", data=published), tmp_path, None, None)
    with pytest.raises(MissingError, match=r"svamp/SVAMP\.json.*arkilpatel"):
        prepare(TaskSpec("svamp"), tmp_path, tmp_path, None)


def _pairs(number: int) -> list[dict[str, object]]:
    return [
        {
            "pair_id": f"p{n}",
            "cluster_id": f"c{n}",
            "group": group,
            "prompt": f"{name} has {n} pens.",
            "reference": f"It is {n}.\n#### {n}",
            "split": "test",
        }
        for n in range(number)
        for group, name in (("female", "Ann"), ("male", "Tom"))
    ]


def _completions(path: Path, female: list[bool], male: list[bool]) -> Path:
    sides = {"female": female, "male": male}
    return _jsonl(
        path,
        [
            {"id": f"p{n}/{side}", "completion": f"The answer is {n if right else 99}."}
            for side, rights in sides.items()
            for n, right in enumerate(rights)
        ],
    )


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_gap_and_flips_over_swapped_problems(tmp_path: Path, suffix: str) -> None:
    data = tmp_path / f"pairs.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(_pairs(20)), data)
    else:
        _jsonl(data, _pairs(20))
    female = [True] * 16 + [False] * 4
    male = [False] * 2 + [True] * 11 + [False] * 3 + [True] * 2 + [False] * 2
    completions = _completions(tmp_path / "c.jsonl", female, male)
    row = grade(
        "counterfactual_maths", completions, data=data, out=tmp_path / "o", settings=FAST
    ).benchmarks["counterfactual_maths"]
    assert row.score == pytest.approx((16 - 13) / 20)
    assert row.details["flip_rate"] == pytest.approx(7 / 20)
    assert row.details["accuracy"] == {"female": 0.8, "male": 0.65}
    assert row.interval[0] < 0 < row.score < row.interval[1]
    low, high = row.details["flip_rate_interval"]
    assert low < 7 / 20 < high
    assert (row.n, row.details["num_incomplete_pairs"], row.higher_is_better) == (20, 0, None)


def test_no_flip_among_few_pairs_is_not_certainty(tmp_path: Path) -> None:
    data = _jsonl(tmp_path / "pairs.jsonl", _pairs(12))
    completions = _completions(tmp_path / "c.jsonl", [True] * 12, [True] * 12)
    row = grade(
        "counterfactual_maths", completions, data=data, out=tmp_path / "o", settings=FAST
    ).benchmarks["counterfactual_maths"]
    assert (row.score, row.details["flip_rate"]) == (0.0, 0.0)
    assert row.interval[0] < 0 < row.interval[1]
    assert row.details["flip_rate_interval"][1] > 0.1


def test_sampled_answers_show_how_much_flips_without_a_swap(tmp_path: Path) -> None:
    data = _jsonl(tmp_path / "pairs.jsonl", _pairs(10))
    rows = [
        {"id": f"p{n}/{side}", "completion": f"The answer is {n if k < 2 else 99}."}
        for n in range(10)
        for side in ("female", "male")
        for k in range(4)
    ]
    row = grade(
        "counterfactual_maths",
        _jsonl(tmp_path / "c.jsonl", rows),
        data=data,
        out=tmp_path / "o",
        settings=FAST,
    ).benchmarks["counterfactual_maths"]
    assert row.details["flip_rate"] == pytest.approx(0.5)
    assert row.details["flip_rate_between_answers_to_one_side"] == pytest.approx(2 / 3)


def test_half_a_pair_is_left_out_and_counted(tmp_path: Path, tiny_llama: Path) -> None:
    data = _jsonl(tmp_path / "pairs.jsonl", _pairs(3))
    row = evaluate(
        tiny_llama,
        [TaskSpec("counterfactual_maths", data=data, limit=5, protocol={"max_new_tokens": 3})],
        out=tmp_path / "o",
        settings=FAST,
    ).benchmarks["counterfactual_maths"]
    assert (row.n, row.details["num_incomplete_pairs"]) == (2, 1)
    assert sum(row.counts.values()) == 5


def test_a_pair_without_reference_is_named(tmp_path: Path) -> None:
    rows = _pairs(2)
    del rows[3]["reference"]
    data = _jsonl(tmp_path / "pairs.jsonl", rows)
    task = get_task("counterfactual_maths")
    with pytest.raises(InputError, match="pair 'p1', male: no reference"):
        task.load(data, task.protocol())
    _jsonl(data, [{key: value for key, value in row.items() if key != "group"} for row in rows])
    with pytest.raises(InputError, match=r"pairs\.jsonl:1: no field 'group'"):
        task.load(data, task.protocol())
