"""Training through an adapter: what is trained, what is compared with, what is saved."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, LoraConfig, TrainConfig
from debias_core.errors import ConfigError, InterruptedTraining, MissingPackageError
from debias_core.models.loading import load_model
from debias_core.scoring.answers import ScoredRow, score
from debias_core.training.adapters import add_adapter
from debias_core.training.progress import TrainResult
from debias_core.training.trainer import DebiasTrainer

peft = pytest.importorskip("peft")

Rows = Callable[..., list[dict[str, object]]]

CONFIG = TrainConfig(
    objective=ConstrainedConfig(),
    max_steps=4,
    effective_batch_size=8,
    micro_batch_size=4,
    max_new_tokens=5,
    eval_every=2,
    checkpoint_every=1,
    learning_rate=3e-2,
    early_stopping=False,
    lora=LoraConfig(rank=4),
)
ROWS = [ScoredRow([3, 9, 12], [4, 7, 1]), ScoredRow([8, 2], [30, 1])]


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = model(input_ids=torch.tensor([[3, 9, 12, 4]])).logits
    return output


def fit(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows, **more: object
) -> TrainResult:
    trainer = DebiasTrainer(model, tokenizer, CONFIG)
    return trainer.fit(make_rows(16), make_rows(8, prefix="d"), **more)  # type: ignore[arg-type]


def test_an_adapter_changes_nothing_at_first_and_only_it_is_trained(
    tiny_model: Qwen2ForCausalLM,
) -> None:
    before = logits(tiny_model)
    add_adapter(tiny_model, LoraConfig(), seed=0)
    assert torch.equal(logits(tiny_model), before)
    trained = [name for name, p in tiny_model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not any("lm_head" in name for name in trained)


def test_the_first_weights_are_a_function_of_the_seed(tiny_model: Qwen2ForCausalLM) -> None:
    state = torch.get_rng_state()
    add_adapter(tiny_model, LoraConfig(target_modules=("q_proj",)), seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    first = {n: p.clone() for n, p in tiny_model.named_parameters() if p.requires_grad}
    assert first
    assert all("q_proj" in name for name in first)
    tiny_model = Qwen2ForCausalLM(tiny_model.config).double()
    add_adapter(tiny_model, LoraConfig(target_modules=("q_proj",)), seed=3)
    for name, parameter in tiny_model.named_parameters():
        assert not parameter.requires_grad or torch.equal(parameter, first[name]), name


def test_the_reference_is_the_model_with_the_adapter_off(tiny_model: Qwen2ForCausalLM) -> None:
    before = logits(tiny_model)
    adapter = add_adapter(tiny_model, LoraConfig(rank=2), seed=0)
    with torch.no_grad():
        for name, parameter in tiny_model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
    changed = logits(tiny_model)
    with adapter.off.using() as reference:
        assert torch.equal(logits(reference), before)
    assert torch.equal(logits(tiny_model), changed)
    assert not torch.allclose(changed, before)
    terms = score(tiny_model, ROWS, reference=adapter.off)
    assert terms.kl is not None
    assert (terms.kl > 1e-4).all()
    terms.kl.sum().backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in tiny_model.parameters() if p.requires_grad]
    assert all(grad is not None for grad in gradients)


def test_merging_gives_a_plain_model_that_can_still_be_compared(
    tiny_model: Qwen2ForCausalLM,
) -> None:
    names, before = set(tiny_model.state_dict()), logits(tiny_model)
    adapter = add_adapter(tiny_model, LoraConfig(rank=2), seed=0)
    with torch.no_grad():
        for parameter in tiny_model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05)
    changed = logits(tiny_model)
    reference = adapter.merge()
    assert set(tiny_model.state_dict()) == names
    assert torch.allclose(logits(tiny_model), changed, atol=1e-10)
    merged = logits(tiny_model)
    with reference.using() as older:
        assert torch.equal(logits(older), before)
    assert torch.equal(logits(tiny_model), merged)


def test_a_run_saves_the_merged_model_and_the_adapter_beside_it(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    model = tiny_model.float()
    start = Qwen2ForCausalLM(model.config)
    start.load_state_dict(model.state_dict())
    result = fit(model, tokenizer, make_rows, out=tmp_path / "m")
    assert result.evaluations[0].kl == pytest.approx(0.0, abs=1e-6)
    assert result.kept.kl > 1e-3
    # the look at the merged weights, under the same random numbers as the one at the adapter
    last = result.evaluations[-1]
    assert result.kept.step == last.step == 4
    assert result.kept.gap.gap == pytest.approx(last.gap.gap, abs=1e-3)
    assert result.kept.kl == pytest.approx(last.kl, rel=1e-2)
    saved, _ = load_model(tmp_path / "m")
    assert torch.equal(logits(saved), logits(model))
    adapted = peft.PeftModel.from_pretrained(start, tmp_path / "m" / "adapter").eval()
    assert torch.allclose(logits(adapted), logits(model), atol=1e-4)
    assert sorted(p.name for p in (tmp_path / "m" / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_checkpoints_hold_the_adapter_alone_and_resume_bit_for_bit(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    models = [Qwen2ForCausalLM(tiny_model.config).float() for _ in range(3)]
    for model in models:
        model.load_state_dict(tiny_model.state_dict())
    whole = fit(models[0], tokenizer, make_rows)
    steps = iter(range(1, 100))
    with pytest.raises(InterruptedTraining):
        fit(
            models[1],
            tokenizer,
            make_rows,
            checkpoints=tmp_path,
            should_stop=lambda: next(steps) == 3,
        )
    for name in ("weights", "kept"):
        stored = load_file(tmp_path / "step-000003" / f"{name}.safetensors")
        assert stored
        assert all("lora_" in key for key in stored)
    resumed = fit(models[2], tokenizer, make_rows, checkpoints=tmp_path)
    assert [log.loss for log in resumed.history] == [log.loss for log in whole.history]
    assert resumed.kept.gap == whole.kept.gap
    for (name, a), b in zip(models[0].named_parameters(), models[2].parameters(), strict=True):
        assert torch.equal(a, b), name


def test_refusals(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="lora.dropout must be 0"):
        LoraConfig(dropout=0.1)
    with pytest.raises(ConfigError, match="rank must be a positive number"):
        LoraConfig(rank=0)
    with pytest.raises(ConfigError, match="'all-linear' or a list of names, not ()"):
        LoraConfig(target_modules=())
    with pytest.raises(ConfigError, match=r"lora.target_modules: .*kproj"):
        add_adapter(tiny_model, LoraConfig(target_modules=("kproj",)), seed=0)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'debias-core\[lora\]'"):
        DebiasTrainer(tiny_model, tokenizer, CONFIG)
