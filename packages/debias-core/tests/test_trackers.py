"""The log of a run in TensorBoard, and what is said where a tracker is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import TrainConfig
from debias_core.errors import ConfigError, MissingPackageError
from debias_core.training.progress import TrainResult
from debias_core.training.trackers import values_of
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]


def fit(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    folder: Path,
    *trackers: str,
) -> TrainResult:
    config = TrainConfig(
        trackers=trackers,
        max_steps=2,
        eval_every=1,
        effective_batch_size=4,
        max_new_tokens=3,
        device="cpu",
    )
    trainer = DebiasTrainer(model.float(), tokenizer, config)
    return trainer.fit(make_rows(8), make_rows(4, prefix="d"), out=folder / "model")


def test_tensorboard_gets_every_step_and_look(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = fit(tiny_model, tokenizer, make_rows, tmp_path, "tensorboard")
    read = EventAccumulator(str(tmp_path / "trackers" / "debias")).Reload()
    gaps = [(e.step, e.value) for e in read.Scalars("heldout/gap")]
    assert gaps == [(e.step, pytest.approx(e.gap.gap)) for e in result.evaluations]
    losses = [(e.step, e.value) for e in read.Scalars("train/loss")]
    assert losses == [(log.step, pytest.approx(log.loss)) for log in result.history]


def test_off_by_default(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    result = fit(tiny_model, tokenizer, make_rows, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    values = values_of(result.evaluations[0], ("female", "male"))
    assert set(values) == {
        *(f"heldout/{name}" for name in ("gap", "low", "high", "kl", "truncated", "empty")),
        "heldout/entropy_female",
        "heldout/entropy_male",
    }
    assert "train/step" not in values_of(result.history[0], ("female", "male"))


def test_a_missing_tracker_is_named_before_any_work(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackageError, match="'wandb' needs .*: pip install wandb"):
        fit(tiny_model, tokenizer, make_rows, tmp_path, "wandb")
    with pytest.raises(ConfigError, match="trackers must be of .*, not \\['aim'\\]"):
        TrainConfig(trackers=("aim",))
