"""The command: exit codes, messages, and that looking around never loads torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debias_eval.cli.app import app

HEAVY = ("torch", "transformers", "scipy", "matplotlib", "sympy")


@pytest.mark.parametrize(
    "code",
    [
        "import debias_eval",
        "import debias_eval; debias_eval.Protocol, debias_eval.TaskSpec, debias_eval.evaluate",
        "from debias_eval.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass",
        "from debias_eval.cli.app import app\ntry: app(['list'])\nexcept SystemExit: pass",
    ],
)
def test_looking_around_loads_nothing_heavy(code: str) -> None:
    check = f"import sys\n{code}\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_every_public_name_is_there() -> None:
    import debias_eval

    for name in debias_eval.__all__:
        assert getattr(debias_eval, name) is not None
    assert callable(debias_eval.evaluate)  # and stays the function once its module is loaded
    with pytest.raises(AttributeError):
        debias_eval.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--tasks", "gsm8k"], 2, "--model"),
        (
            ["run", "--model", "m", "--tasks", "gms8k", "--out", "o"],
            3,
            "did you mean 'gsm8k'",
        ),
        (["run", "--model", "m", "--tasks", "gsm8k", "--out", "o"], 4, "gsm8k/test.jsonl"),
        (
            ["run", "--model", "m", "--tasks", "math_jsonl", "--data", "none", "--out", "o"],
            4,
            "no such file",
        ),
        (
            ["run", "--model", "m", "--tasks", "a,b", "--data", "none", "--out", "o"],
            3,
            "--data goes with one task",
        ),
        (
            ["run", "--model", "m", "--tasks", "gsm8k", "--protocol", "{", "--out", "o"],
            3,
            "--protocol: not JSON",
        ),
        (["regrade", "nowhere"], 4, "results.json"),
        (["grade", "--task", "winogender", "--completions", "c", "--out", "o"], 4, "winogender"),
    ],
)
def test_exit_codes(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEBIAS_DATA_DIR", raising=False)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.output.split())


NOISY = """
import sys
import debias_eval as api
from debias_eval.cli.app import app

def grade(*arguments, known=api.grade, **more):
    print("a library says hello")
    return known(*arguments, **more)

api.grade = grade
app(sys.argv[1:])
"""


def test_stdout_is_for_the_result_alone(tmp_path: Path) -> None:
    problem = {"id": "a", "question": "1 + 1?", "answer": "2"}
    (tmp_path / "own.jsonl").write_text(json.dumps(problem) + "\n")
    (tmp_path / "answers.jsonl").write_text('{"id": "a", "completion": "\\\\boxed{2}"}\n')
    words = "grade --task math_jsonl --data own.jsonl --completions answers.jsonl --out o --json"
    done = subprocess.run(
        [sys.executable, "-c", NOISY, *words.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["benchmarks"]["math_jsonl"]["score"] == 1.0
    assert "a library says hello" in done.stderr


def test_list_as_json() -> None:
    done = CliRunner().invoke(app, ["list", "--json"])
    assert done.exit_code == 0
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["gsm8k"]["kind"] == "maths"
    assert {"humaneval", "mbpp", "winogender", "entropy_gap", "math_jsonl"} <= set(rows)


def test_an_interrupt_exits_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import debias_eval.evaluation

    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(debias_eval.evaluation, "evaluate", interrupted)
    done = CliRunner().invoke(
        app, ["run", "--model", "m", "--tasks", "gsm8k", "--out", str(tmp_path)]
    )
    assert done.exit_code == 130
    assert "run the same command to go on" in done.output


def test_grade_regrade_and_compare(tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    sums = [{"id": str(n), "question": f"{n}+1?", "answer": str(n + 1)} for n in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in sums))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    for name, wrong in (("before", 0), ("after", 3)):
        completions = tmp_path / f"{name}.jsonl"
        completions.write_text(
            "".join(
                json.dumps({"id": str(n), "completion": f"The answer is {n + 1 + (n < wrong)}."})
                + "\n"
                for n in range(12)
            )
        )
        out = run(
            *("grade", "--task", "math_jsonl", "--completions", str(completions)),
            *("--data", str(data), "--out", str(tmp_path / name), "--json"),
        )
        assert json.loads(out)["benchmarks"]["math_jsonl"]["k"] == 12 - wrong
    assert "1.0000" in run("regrade", str(tmp_path / "before"))
    arguments = ["compare", str(tmp_path / "before"), str(tmp_path / "after")]
    report = tmp_path / "report"
    assert str(report / "report.html") in run(*arguments, "--out", str(report))
    assert (report / "report.html").is_file()
    strict = CliRunner().invoke(app, [*arguments, "--out", str(report), "--strict"])
    assert strict.exit_code == 5


def test_the_python_blocks_of_the_readme() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
