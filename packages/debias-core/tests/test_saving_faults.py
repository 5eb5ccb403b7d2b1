"""What is left behind when a checkpoint cannot be written, or the process is killed."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import TrainConfig
from debias_core.errors import CheckpointError
from debias_core.models.loading import load_model
from debias_core.training.progress import StepLog
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]

CONFIG = TrainConfig(
    max_steps=4,
    effective_batch_size=8,
    micro_batch_size=4,
    max_new_tokens=4,
    eval_every=4,
    checkpoint_every=1,
    learning_rate=1e-3,
)


class Setup:
    """Starts runs from the same weights."""

    def __init__(
        self, model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: Rows
    ) -> None:
        self.model, self.tokenizer = model.float(), tokenizer
        self.data = rows(16), rows(8, prefix="d")
        self.start = {k: v.clone() for k, v in model.state_dict().items()}

    def fit(self, folder: Path | None, **rest: object) -> dict[str, torch.Tensor]:
        self.model.load_state_dict(self.start)
        trainer = DebiasTrainer(self.model, self.tokenizer, CONFIG)
        trainer.fit(*self.data, checkpoints=folder, **rest)  # type: ignore[arg-type]
        return {k: v.clone() for k, v in self.model.state_dict().items()}


@pytest.fixture
def setup(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> Setup:
    return Setup(tiny_model, tokenizer, make_rows)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in b)


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file can grow beyond the size: what a write to a full disk meets, without filling one."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("size", [100, 20_000, 120_000])
def test_a_full_disk_leaves_the_old_state(setup: Setup, tmp_path: Path, size: int) -> None:
    """At the first byte, in the weights, and in what follows them."""
    expected = setup.fit(None)
    limits = contextlib.ExitStack()

    def fill(event: object) -> None:
        if isinstance(event, StepLog) and event.step == 3:
            limits.enter_context(files_up_to(size))

    with limits, pytest.raises(CheckpointError, match=r"step 3 cannot be written.*MiB are free"):
        setup.fit(tmp_path, on_event=fill)
    final = [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert final == ["step-000002"]
    assert same(setup.fit(tmp_path), expected)


def test_a_model_that_cannot_be_written_leaves_the_old_one(setup: Setup, tmp_path: Path) -> None:
    out = tmp_path / "model"
    setup.fit(None, out=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    limits = contextlib.ExitStack()

    def fill(event: object) -> None:
        if not isinstance(event, StepLog) and event.step == 4:
            limits.enter_context(files_up_to(20_000))

    with limits, pytest.raises(Exception, match=r"File too large|large"):
        setup.fit(None, out=out, on_event=fill)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    load_model(out)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder nobody can write to")
def test_a_read_only_folder_is_named(setup: Setup) -> None:
    with pytest.raises(CheckpointError, match="step 1 cannot be written to /sys/kernel/debias"):
        setup.fit(Path("/sys/kernel/debias"))


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes() -> None:
    """Three kills of the measurement that `bench/core_kill.py` makes thirty of."""
    bench = Path(__file__).resolve().parents[3] / "bench" / "core_kill.py"
    if not bench.is_file():
        pytest.skip("the measurement is not in this distribution")
    done = subprocess.run(
        [sys.executable, str(bench), "--kills", "3", "--steps", "3"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3" in done.stdout
