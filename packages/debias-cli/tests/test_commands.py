"""The commands: exit codes, messages, JSON, and what they do not import."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from debias_cli.config.load import load_config

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = ("torch", "transformers", "scipy", "matplotlib", "numpy", "datasets")
WATCH = """
import sys
from debias_cli.cli import app
try:
    app(sys.argv[1:], prog_name="debias-cli")
except SystemExit as end:
    code = end.code
loaded = [name for name in {heavy!r} if name in sys.modules]
print("LOADED", code, loaded)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["validate", "FILE"], ["plan", "FILE"]]
)
def test_nothing_heavy_is_imported(small: Path, arguments: list[str]) -> None:
    words = [str(small) if word == "FILE" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(heavy=HEAVY), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=small.parent,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "LOADED 0 []", done.stdout + done.stderr


@pytest.mark.parametrize("name", ["debias_cli", "debias_cli.config.load", "debias_cli.cli"])
def test_importing_is_cheap_and_silent(name: str) -> None:
    code = f"import sys, {name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


NOISY = """
from debias_cli import cli
from debias_cli.commands import inspect

def noisy(*arguments, known=inspect.validate_file):
    print("a library says hello")
    return known(*arguments)

inspect.validate_file = noisy
cli.main()
"""


def test_standard_output_is_for_the_result_alone(small: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOISY, "validate", str(small), "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr == "a library says hello\n"


def test_validate(cli: Cli, small: Path) -> None:
    done = cli("validate", small)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{small}: valid; the run folder is ")
    assert not (small.parent / "runs").exists()


def test_an_invalid_file_ends_with_3_and_every_error(cli: Cli, write: Callable[..., Path]) -> None:
    path = write("model: {pth: testbed}\nevaluate: {tasks: [{kind: gsm8k, limit: -1}]}\n")
    for command in ("validate", "plan", "run"):
        done = cli(command, path)
        assert done.returncode == 3
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert lines[1] == f"{path}:1:9 model.pth: unknown field; did you mean 'path'?"
        assert lines[2] == f"{path}:2:41 evaluate.tasks.0.limit: -1 must be at least 1"


def test_errors_as_json(cli: Cli, write: Callable[..., Path]) -> None:
    path = write("model: {path: testbed, x: 1}\nevaluate: {tasks: [{kind: gsm8k}]}\n")
    done = cli("validate", path, "--json")
    assert done.returncode == 3
    assert done.stderr == ""
    content = json.loads(done.stdout)
    assert (content["ok"], content["exit_code"]) == (False, 3)
    assert content["problems"][0] | {"message": ""} == {
        "file": str(path),
        "line": 1,
        "column": 24,
        "path": "model.x",
        "message": "",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["validate", "nope.yaml"], 4, "no such file"),
        (["nope"], 2, "No such command"),
        (["run"], 2, "Missing argument"),
        (["plan", "FILE", "--only", "trian"], 2, "there is no stage 'trian'"),
        (["plan", "FILE", "--only", "report"], 2, "--only report needs"),
        (["plan", "FILE", "--set", "model.path=/nope"], 4, "model.path: /nope: no such folder"),
        (["validate", "FILE", "--set", "train.x=1"], 3, "--set train.x: unknown field"),
        (["report", "nope"], 4, "not a run folder"),
        (["compare", "nope", "nope"], 4, "not a run folder"),
    ],
)
def test_exit_codes(cli: Cli, small: Path, arguments: list[str], code: int, words: str) -> None:
    done = cli(*[str(small) if word == "FILE" else word for word in arguments])
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_hostile_files_end_with_3_in_two_seconds(cli: Cli, write: Callable[..., Path]) -> None:
    path = write("a: " + "[" * 20_000)
    done = cli("validate", path, timeout=20)
    assert done.returncode == 3
    assert done.stderr == f"{path}:1:68: nested more than 64 levels deep\n"


def test_plan_names_every_stage_and_its_reason(cli: Cli, small: Path) -> None:
    done = cli("plan", small, "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert [(item["name"], item["action"]) for item in content["stages"]] == [
        ("data", "run"),
        ("baseline", "run"),
        ("train-constrained-s0", "run"),
        ("eval-constrained-s0", "run"),
        ("compare", "run"),
        ("report", "run"),
    ]
    text = cli("plan", small).stdout
    assert "train-constrained-s0  runs           never ran" in text
    assert text.splitlines()[-1] == "6 of 6 stages would run"


def test_init_writes_a_file_that_is_valid(cli: Cli, tmp_path: Path) -> None:
    done = cli("init", "new.yaml", "--model", "some/model")
    assert done.returncode == 0
    assert done.stdout == "wrote new.yaml; next: debias-cli run new.yaml\n"
    config = load_config(tmp_path / "new.yaml").config
    assert (config.model.path, config.run.name) == ("some/model", "new")
    text = (tmp_path / "new.yaml").read_text()
    assert "# Nats; stop when the 95% interval of the held-out gap lies inside" in text
    assert max(map(len, text.splitlines())) <= 100
    again = cli("init", "new.yaml")
    assert again.returncode == 2
    assert again.stderr == "error: new.yaml exists; --force replaces it\n"
    assert cli("init", "new.yaml", "--force").returncode == 0


def test_the_schema_describes_every_field(cli: Cli) -> None:
    schema = json.loads(cli("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    sections = {"run", "model", "data", "train", "evaluate", "report", "sweep"}
    assert set(schema["properties"]) == sections
    lacking = [
        f"{name}.{field}"
        for name, model in schema["$defs"].items()
        for field, content in model.get("properties", {}).items()
        if "description" not in content and "const" not in content
    ]
    assert lacking == []


def test_help_shows_examples(cli: Cli) -> None:
    for command in ("run", "init", "compare"):
        done = cli(command, "--help")
        assert done.returncode == 0
        assert f"debias-cli {command}" in done.stdout.split("Example", 1)[1]


def test_a_closed_pipe_ends_a_command_quietly_and_not_by_a_signal() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "debias_cli", "schema"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_peer_that_went_away_does_not_end_the_process() -> None:
    code = (
        "import os, socket\n"
        "from debias_cli.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "ours, theirs = socket.socketpair()\ntheirs.close()\n"
        "try:\n    ours.send(b'x')\nexcept BrokenPipeError:\n    os._exit(7)\n"
    )
    command = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 7, done
