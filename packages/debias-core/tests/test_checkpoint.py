"""A run that is cut and started again ends in the bytes of an undisturbed one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, TrainConfig
from debias_core.errors import CheckpointError, InterruptedTraining
from debias_core.recovery.checkpoint import load_newest
from debias_core.training.progress import TrainResult
from debias_core.training.trainer import DebiasTrainer

CONFIG = TrainConfig(
    objective=ConstrainedConfig(),
    max_steps=6,
    effective_batch_size=8,
    micro_batch_size=4,
    max_new_tokens=6,
    eval_every=2,
    checkpoint_every=1,
    learning_rate=1e-3,
)

Rows = Callable[..., list[dict[str, object]]]


class Runs:
    """Starts runs from the same weights, with the same data."""

    def __init__(
        self, model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
    ) -> None:
        self.model, self.tokenizer, self.make_rows = model.float(), tokenizer, make_rows
        self.start = {k: v.clone() for k, v in model.state_dict().items()}

    def __call__(
        self, folder: Path | None, *, stop_after: int | None = None, config: TrainConfig = CONFIG
    ) -> tuple[TrainResult, dict[str, torch.Tensor]]:
        self.model.load_state_dict(self.start)
        trainer = DebiasTrainer(self.model, self.tokenizer, config)
        steps = iter(range(1, 100))
        result = trainer.fit(
            self.make_rows(16),
            self.make_rows(8, prefix="d"),
            checkpoints=folder,
            should_stop=None if stop_after is None else lambda: next(steps) == stop_after,
        )
        return result, {k: v.clone() for k, v in self.model.state_dict().items()}


@pytest.fixture
def runs(tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows) -> Runs:
    return Runs(tiny_model, tokenizer, make_rows)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_resume_is_bit_exact(runs: Runs, tmp_path: Path, cut: int) -> None:
    whole, weights = runs(None)
    with pytest.raises(InterruptedTraining, match=f"stopped after step {cut}; the same command"):
        runs(tmp_path, stop_after=cut)
    resumed, again = runs(tmp_path)
    for name, tensor in weights.items():
        assert torch.equal(tensor, again[name]), name
    assert [log.loss for log in resumed.history] == [log.loss for log in whole.history]
    assert [look.gap for look in resumed.evaluations] == [look.gap for look in whole.evaluations]
    assert resumed.best_step == whole.best_step


def test_one_checkpoint_is_left_and_nothing_temporary(runs: Runs, tmp_path: Path) -> None:
    runs(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000005"]


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_one_flipped_byte_is_found_and_the_file_named(
    runs: Runs, tmp_path: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InterruptedTraining):
        runs(tmp_path, stop_after=3)
    victim = tmp_path / "step-000003" / file
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(bytes(data))
    with caplog.at_level(logging.WARNING):
        resumed, _ = runs(tmp_path)
    assert str(victim) in caplog.text
    assert len(resumed.history) == CONFIG.max_steps


def test_an_incomplete_checkpoint_is_passed_over(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(InterruptedTraining):
        runs(tmp_path, stop_after=3)
    (tmp_path / "step-000003" / "COMPLETE.json").unlink()
    (tmp_path / ".step-000009.tmp").mkdir()
    assert load_newest(tmp_path, key="any") is None


def test_another_runs_checkpoint_is_refused(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(InterruptedTraining):
        runs(tmp_path, stop_after=3)
    with pytest.raises(CheckpointError, match="another config or other data"):
        runs(tmp_path, config=TrainConfig(max_steps=9, effective_batch_size=8))


def test_a_run_may_go_on_with_less_at_once(runs: Runs, tmp_path: Path) -> None:
    """What a failed allocation advises must not cost the steps that were taken."""
    with pytest.raises(InterruptedTraining):
        runs(tmp_path, stop_after=3)
    smaller = replace(CONFIG, micro_batch_size=1, generation_batch_size=2)
    resumed, _ = runs(tmp_path, config=smaller)
    whole, _ = runs(tmp_path / "other")
    assert len(resumed.history) == CONFIG.max_steps
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
