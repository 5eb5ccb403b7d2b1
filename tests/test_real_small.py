"""`examples/real-small.yaml`: a real model, real data, and a report that says what is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(
    debias_cli: Cli, root: Path, shared_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    cwd = tmp_path_factory.mktemp("real")
    done = debias_cli(
        "run", root / "examples/real-small.yaml", "--json", cwd=cwd, DEBIAS_SHARED=shared_dir
    )
    assert done.returncode == 0, done.stderr
    return cwd, json.loads(done.stdout)


def test_every_stage_ran_on_what_the_file_asks_for(run: tuple[Path, dict[str, object]]) -> None:
    _, content = run
    results = json.loads((Path(str(content["run_dir"])) / "baseline" / "results.json").read_text())[
        "benchmarks"
    ]
    assert results["gsm8k"]["n"] == 100
    assert results["humaneval"]["n"] == 164
    assert results["humaneval"]["score"] == 0.0, "a storyteller writes no programs"
    assert results["winogender"]["interval"][0] < results["winogender"]["interval"][1]
    gap = results["entropy_gap"]
    assert gap["interval"][0] < 0 < gap["interval"][1], "indistinguishable from 0"


def test_nothing_is_claimed_that_was_not_shown(run: tuple[Path, dict[str, object]]) -> None:
    _, content = run
    report = json.loads(Path(str(content["report"])).with_name("report.json").read_text())
    assert report["verdict"] != "improved"
    assert report["met"] is False
    assert "cannot be told from 0" in report["headline"]
    assert content["criteria_met"] is False


def test_a_second_run_does_nothing_and_says_so(
    run: tuple[Path, dict[str, object]], debias_cli: Cli, root: Path, shared_dir: Path
) -> None:
    cwd, first = run
    again = debias_cli("run", root / "examples/real-small.yaml", cwd=cwd, DEBIAS_SHARED=shared_dir)
    assert again.returncode == 0, again.stderr
    assert "ran nothing: all stages are finished" in again.stderr + again.stdout
    content = json.loads(
        debias_cli(
            "run", root / "examples/real-small.yaml", "--json", cwd=cwd, DEBIAS_SHARED=shared_dir
        ).stdout
    )
    assert (content["ran"], content["run_dir"]) == ([], first["run_dir"])


def test_a_typo_is_named_with_its_place_and_a_suggestion(
    debias_cli: Cli, root: Path, shared_dir: Path, tmp_path: Path
) -> None:
    text = (root / "examples/real-small.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("kind: constrained", "kind: constraned"))
    done = debias_cli("run", wrong, cwd=tmp_path, DEBIAS_SHARED=shared_dir)
    assert done.returncode == 3
    line = next(i for i, t in enumerate(wrong.read_text().splitlines(), 1) if "constraned" in t)
    assert f"wrong.yaml:{line}:" in done.stderr
    assert "did you mean 'constrained'?" in done.stderr
