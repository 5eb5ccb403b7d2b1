"""A whole run on the embedded test bed, the real command in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debias_cli.config.load import load_config
from debias_cli.stages.graph import run_folder
from debias_cli.stages.runner import run_pipeline

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
TIMEOUT = 600

pytestmark = pytest.mark.slow


@pytest.fixture
def running(small: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, training for so long that the test decides when it ends."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "debias_cli", "run", str(small), *OVERRIDES, "-v"]
    process = subprocess.Popen(
        command, cwd=small.parent, env=environment, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


TASK = "{kind: entropy_gap, pairs: 6, samples: 1, max_new_tokens: 8}"
OVERRIDES = [
    *("--set", "train.max_steps=40"),
    *("--set", "train.eval_every=20"),
    *("--set", "train.checkpoint_every=100"),
    *("--set", "train.early_stopping=false"),
    *("--set", f"evaluate.tasks=[{TASK}]"),
]


def stage_files(folder: Path, stage: str) -> dict[str, object]:
    files = json.loads((folder / stage / "stage.json").read_text())["files"]
    assert isinstance(files, dict)
    return files


def test_a_run_and_what_the_next_one_does(cli: Cli, small: Path) -> None:
    done = cli("run", small, "--json", timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    folder = Path(content["run_dir"])
    assert content["ran"] == [
        "data",
        "baseline",
        "train-constrained-s0",
        "eval-constrained-s0",
        "compare",
        "report",
    ]
    assert content["criteria_met"] is False
    assert Path(content["report"]).read_text(encoding="utf-8").lower().startswith("<!doctype html")
    baseline = json.loads((folder / "baseline" / "results.json").read_text())
    assert set(baseline["benchmarks"]) == {"entropy_gap", "arithmetic"}
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["seeds"] == {"run": 0, "data": 0, "train": [0]}
    assert not list(folder.glob("*.partial"))
    looks = (folder / "train-constrained-s0" / "looks.jsonl").read_text().splitlines()
    accuracies = [json.loads(look)["accuracy"] for look in looks]
    assert all(0 <= accuracy < 1 for accuracy in accuracies), "8 tokens end few answers"

    again = json.loads(cli("run", small, "--json", timeout=TIMEOUT).stdout)
    assert (again["ran"], again["run_dir"]) == ([], str(folder))
    saved = cli("run", folder / "config.yaml", "--json", timeout=TIMEOUT)
    assert json.loads(saved.stdout)["ran"] == []

    changes = ("--set", "evaluate.margin=0.2", "--set", "evaluate.tasks.1.limit=6")
    changed = cli("run", small, "--json", "--strict", *changes, timeout=TIMEOUT)
    assert changed.returncode == 5
    error = json.loads(changed.stdout)["error"]
    assert "success criteria not met" in error
    other = Path(error.rsplit("see ", 1)[1]).parents[1]
    for stage in ("baseline", "eval-constrained-s0"):
        kept = [run / stage / "entropy_gap" / "pairs.jsonl" for run in (folder, other)]
        assert kept[0].samefile(kept[1])
        again_made = [run / stage / "arithmetic" / "items.jsonl" for run in (folder, other)]
        assert [len(path.read_text().splitlines()) for path in again_made] == [4, 6]
        results = json.loads((other / stage / "results.json").read_text())
        assert list(results["benchmarks"]) == ["entropy_gap", "arithmetic"]
        assert results["benchmarks"]["arithmetic"]["n"] == 6

    report = cli("report", folder, timeout=TIMEOUT)
    assert report.returncode == 0, report.stderr
    assert "ran report in" in report.stdout


def test_sigint_saves_and_the_next_run_gives_the_same_model(
    running: subprocess.Popen[str], cli: Cli, small: Path, tmp_path: Path
) -> None:
    folder = run_folder(load_config(small, overrides=OVERRIDES[1::2])).path
    folder = tmp_path / "runs" / folder.name
    assert running.stderr is not None
    for line in running.stderr:
        if "batch gap" in line:
            break
    second = cli("run", small, *OVERRIDES, timeout=30)
    assert second.returncode == 1
    assert f"process {running.pid} on host" in second.stderr
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(timeout=TIMEOUT) == 130, rest
    assert "interrupted in stage train-constrained-s0" in rest
    assert "run the same command again to go on from here" in rest
    assert (folder / "train-constrained-s0.partial").is_dir()
    resumed = cli("run", small, *OVERRIDES, "--json", timeout=TIMEOUT)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["reused"] == ["data", "baseline"]

    whole = cli(
        "run", small, *OVERRIDES, "--json", "--set", "run.output_dir=other", timeout=TIMEOUT
    )
    assert whole.returncode == 0, whole.stderr
    other = Path(json.loads(whole.stdout)["run_dir"])
    for stage in ("data", "train-constrained-s0"):
        first, second_files = stage_files(folder, stage), stage_files(other, stage)
        weights = [name for name in first if name.endswith((".safetensors", ".parquet"))]
        assert weights
        assert {n: first[n] for n in weights} == {n: second_files[n] for n in weights}


def test_without_training_the_report_is_of_one_model(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ["train=null", f"evaluate.tasks=[{TASK}]"]
    summary = run_pipeline(load_config(small, overrides=overrides))
    assert summary.ran == ("data", "baseline", "report")
    assert summary.met is None
    assert summary.report is not None
    assert summary.report.read_text(encoding="utf-8").lower().startswith("<!doctype html")
    content = json.loads(summary.report.with_name("report.json").read_text())
    assert (content["kind"], content["title"]) == ("model", "small")
    assert "test bed" in content["notes"][0]


def test_a_failing_stage_is_named_and_finished_ones_stay(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from debias_cli.errors import StageError

    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": 1, "question": "x"}\n')
    override = "evaluate.tasks=[{kind: math_jsonl, data: " + str(rows) + ", name: broken}]"
    loaded = load_config(small, overrides=[override])
    with pytest.raises(StageError, match=r"^stage baseline failed: ") as caught:
        run_pipeline(loaded)
    assert caught.value.exit_code == 3
    assert str(rows) in str(caught.value)
    folder = run_folder(loaded)
    assert (folder.path / "data" / "stage.json").is_file()
    assert "Traceback" in folder.log("baseline").read_text()
    assert time.time() - folder.log("baseline").stat().st_mtime < TIMEOUT
