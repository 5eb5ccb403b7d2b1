"""The published data through the executor: canonical solutions, recorded verdicts, hostiles."""

import gzip
import json

import pytest

from debias_eval.code.extraction import prompt_helpers
from debias_eval.execution import Executor, Limits, Program, Status, available_levels

REFERENCE_LIMITS = Limits(cpu=60)  # MBPP/123 needs 3 to 10 seconds, by the machine


def rows(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


@pytest.fixture(scope="module")
def executor():
    if not {"hardened", "landlock"} & set(available_levels()):
        pytest.skip("no isolation works here")
    with Executor() as made:
        yield made


def humaneval(shared_dir):
    return rows(shared_dir / "data" / "humaneval" / "HumanEval.jsonl.gz")


def human_program(row, completion):
    helpers = prompt_helpers(row["prompt"], row["entry_point"])
    return Program(row["task_id"], completion, row["test"], row["entry_point"], helpers=helpers)


def test_humaneval_canonical_solutions_pass(shared_dir, executor):
    programs = [
        human_program(row, row["prompt"] + row["canonical_solution"])
        for row in humaneval(shared_dir)
    ]
    outcomes = list(executor.run(programs))
    assert len(outcomes) == 164
    assert [o for o in outcomes if o.status is not Status.PASSED or not o.split] == []


@pytest.mark.slow
def test_recorded_completions_regrade_to_their_published_verdicts(shared_dir, executor):
    folder = shared_dir / "data" / "parity" / "qwen2.5-coder-1.5b-humaneval"
    published = json.loads((folder / "generated_eval_results.json").read_text())["eval"]
    by_id = {row["task_id"]: row for row in humaneval(shared_dir)}
    programs = [
        human_program(by_id[row["task_id"]], row["completion"])
        for row in rows(folder / "generated.jsonl")
    ]
    outcomes = {o.id: o.status is Status.PASSED for o in executor.run(programs)}
    expected = {name: entry[0]["base_status"] == "pass" for name, entry in published.items()}
    assert outcomes == expected
    assert sum(outcomes.values()) == 72


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("mbpp", 974), ("sanitized-mbpp", 427)])
def test_mbpp_reference_solutions_pass(shared_dir, executor, name, count):
    programs = [
        Program(
            str(row["task_id"]),
            row["code"],
            "\n".join([*row["test_list"], *row.get("challenge_test_list", [])]),
            None,
            style="asserts",
            setup="\n".join([row["test_setup_code"], *row.get("test_imports", [])]),
            limits=REFERENCE_LIMITS,
        )
        for row in rows(shared_dir / "data" / "mbpp" / f"{name}.jsonl")
    ]
    outcomes = list(executor.run(programs))
    assert len(outcomes) == count
    assert [o for o in outcomes if o.status is not Status.PASSED or not o.split] == []


def case_program(row, cpu):
    solution = "".join(text * times for text, times in row.get("solution_gen") or ())
    return Program(
        row["id"],
        solution or row["solution"],
        row["test"],
        row["entry_point"],
        limits=Limits(cpu=cpu),
    )


@pytest.mark.parametrize("level", ["hardened", "landlock"])
def test_hostile_solutions_never_pass_and_controls_do(shared_dir, executors, level):
    hostile = [
        row
        for row in rows(shared_dir / "cases" / "hostile_solutions.jsonl")
        if row["expected"] != "timeout"
    ]
    controls = rows(shared_dir / "cases" / "hostile_controls.jsonl")
    outcomes = {
        o.id: o for o in executors(level).run([case_program(r, 1.0) for r in hostile + controls])
    }
    assert [o for r in hostile if (o := outcomes[r["id"]]).status is Status.PASSED] == []
    assert [o for r in hostile if (o := outcomes[r["id"]]).status is Status.INFRA_ERROR] == []
    assert [o for r in controls if (o := outcomes[r["id"]]).status is not Status.PASSED] == []


@pytest.mark.slow
def test_hanging_solutions_end_in_time(shared_dir, executor):
    hostile = rows(shared_dir / "cases" / "hostile_solutions.jsonl")
    programs = [case_program(row, 1.0) for row in hostile if row["expected"] == "timeout"]
    for outcome in executor.run(programs):
        assert outcome.status is not Status.PASSED
        assert outcome.wall_seconds < Limits(cpu=1.0).wall_seconds + 1.5
