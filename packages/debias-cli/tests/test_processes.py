"""`accelerate launch`: several processes train, the main one does and shows the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from debias_cli.config.load import load_config
from debias_cli.stages.processes import Order, is_helper, num_processes

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))
ACCELERATE = sorted((Path(__file__).resolve().parents[3] / "examples/accelerate").glob("*.yaml"))
LAUNCH = ["accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
MORE = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]


@pytest.mark.parametrize("path", ACCELERATE, ids=lambda path: path.stem)
def test_accelerate_takes_the_examples(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))  # refuses unknown keys
    assert config.num_processes > 1
    assert config.mixed_precision == "no"


def test_the_accelerate_examples_are_here() -> None:
    assert [path.stem for path in ACCELERATE] == ["ddp", "deepspeed", "fsdp"]


@pytest.mark.slow
def test_two_processes_run_a_pipeline_as_one_does(
    write: Callable[..., Path], small: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    text = small.read_text().split("evaluate:")[0]
    text = text.replace("path: testbed", "path: testbed\n  device: cpu")
    together = write(text.replace("{name: small}", "{name: two}"), "two.yaml")
    command = [sys.executable, "-m", *LAUNCH, *MORE, "-m", "debias_cli", "run", str(together)]
    done = subprocess.run(
        [*command, "--json"],
        cwd=together.parent,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)  # of the main process alone
    assert content["ran"][:2] == ["data", "train-constrained-s0"]
    alone = json.loads(cli("run", write(text, "one.yaml"), "--json", timeout=600).stdout)
    for name, fields in (("steps", ("loss", "gap")), ("looks", ("kl",))):
        ours, theirs = (
            [
                json.loads(line)
                for line in (Path(run["run_dir"]) / "train-constrained-s0" / f"{name}.jsonl")
                .read_text()
                .splitlines()
            ]
            for run in (content, alone)
        )
        assert len(ours) == len(theirs) > 1
        for a, b in zip(ours, theirs, strict=True):
            for field in fields:
                assert a[field] == pytest.approx(b[field], abs=1e-4), (name, field)


def test_one_process_is_the_main_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert (num_processes(), is_helper()) == (1, False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not is_helper()
    monkeypatch.setenv("RANK", "1")
    assert is_helper()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_order_arrives_as_it_was_given(path: Path) -> None:
    config = load_config(path, environment={}).config
    order = Order(run="a-s0", pairs=Path("p"), out=Path("o"), config=config)
    assert Order.model_validate_json(order.model_dump_json(by_alias=True)) == order
