"""bfloat16 in the layers, float32 where it is measured; layers that are computed again."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from debias_core.config import LoraConfig, TrainConfig
from debias_core.errors import ConfigError
from debias_core.sampling.base import SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.scoring.answers import ScoredRow
from debias_core.training.engine import Engine
from debias_core.training.precision import checkpointed_layers
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]

ROWS = [ScoredRow([3, 9, 12], [4, 7, 40, 1]), ScoredRow([8, 2], [30, 22, 1])]


def config(**changes: object) -> TrainConfig:
    base: dict[str, object] = {
        "max_steps": 2,
        "effective_batch_size": 8,
        "micro_batch_size": 4,
        "max_new_tokens": 5,
        "eval_every": 1,
    }
    return TrainConfig(**{**base, **changes})  # type: ignore[arg-type]


class Seen:
    """The dtypes that modules give out."""

    def __init__(self, model: torch.nn.Module, *names: str) -> None:
        self.dtypes: set[torch.dtype] = set()
        for name in names:
            model.get_submodule(name).register_forward_hook(self)

    def __call__(self, module: torch.nn.Module, args: object, output: torch.Tensor) -> None:
        self.dtypes.add(output.dtype)


def test_bf16_in_the_layers_and_float32_where_it_is_measured(
    tiny_model: Qwen2ForCausalLM,
) -> None:
    exact = Engine(tiny_model.float(), config()).score(ROWS)
    engine = Engine(tiny_model, config(mixed_precision="bf16"))
    layers = Seen(tiny_model, "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj")
    head = Seen(tiny_model, "lm_head")
    terms = engine.score(ROWS, reference=engine.reference)
    assert layers.dtypes == {torch.bfloat16}
    assert head.dtypes <= {torch.float32}
    for term in terms.present().values():
        assert term.dtype == torch.float32
    assert not torch.equal(terms.entropy, exact.entropy)
    assert torch.allclose(terms.entropy, exact.entropy, atol=0.1)
    assert terms.kl is not None
    assert terms.kl.abs().max() < 1e-6, "the reference computes in the same precision"
    terms.entropy.sum().backward()  # type: ignore[no-untyped-call]
    assert all(
        p.grad is not None and p.grad.dtype == torch.float32 for p in tiny_model.parameters()
    )
    assert not torch.is_autocast_enabled("cpu")


def test_answers_are_drawn_in_bf16_with_float32_entropies(tiny_model: Qwen2ForCausalLM) -> None:
    engine = Engine(tiny_model.float(), config(mixed_precision="bf16"))
    sampler = ModelSampler(tiny_model, SamplingConfig(6), batch_size=4)
    layers = Seen(tiny_model, "model.layers.0.mlp.up_proj")
    prompts = [[5, 3, 9], [7, 2]]
    answers = engine.sample(sampler, prompts, seeds=[[0], [1]])
    assert layers.dtypes == {torch.bfloat16}
    with torch.no_grad():
        rows = [ScoredRow(p, a.tokens) for p, a in zip(prompts, answers, strict=True)]
        scored = engine.score(rows).entropy
    # two bfloat16 ways to the same numbers: with the cache, and all at once
    assert [a.entropy for a in answers] == pytest.approx(scored.tolist(), abs=0.05)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=2)], ids=["full", "lora"])
def test_a_bf16_run_steps_and_looks(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    lora: LoraConfig | None,
) -> None:
    if lora is not None:
        pytest.importorskip("peft")
    settings = config(mixed_precision="bf16", gradient_checkpointing=True, lora=lora)
    result = DebiasTrainer(tiny_model.float(), tokenizer, settings).fit(
        make_rows(16), make_rows(8, prefix="d")
    )
    assert result.steps == 2
    assert all(p.dtype == torch.float32 for p in tiny_model.parameters())
    assert result.evaluations[0].kl == pytest.approx(0.0, abs=1e-6)
    assert result.evaluations[-1].kl > 0


def test_weights_in_bfloat16_are_trained_in_float32(tiny_model: Qwen2ForCausalLM) -> None:
    published = tiny_model.to(torch.bfloat16)  # type: ignore[call-arg] # transformers wraps it
    finer = copy.deepcopy(published).float()
    engine = Engine(published, config())
    expected = Engine(finer, config(mixed_precision="bf16"))
    for name, weight in published.named_parameters():
        assert weight.dtype == torch.float32, name
        assert torch.equal(weight, finer.get_parameter(name)), name
    found, wanted = (e.score(ROWS, reference=e.reference) for e in (engine, expected))
    assert torch.equal(found.entropy, wanted.entropy)
    assert found.kl is not None
    assert float(found.kl.abs().max()) < 1e-6


@pytest.mark.parametrize("sharded", [False, True])
def test_casts_are_not_kept_where_processes_share_the_weights(
    tiny_model: Qwen2ForCausalLM, monkeypatch: pytest.MonkeyPatch, *, sharded: bool
) -> None:
    monkeypatch.setattr("debias_core.training.engine.sharding_is_asked", lambda: sharded)
    engine = Engine(tiny_model.float(), config(mixed_precision="bf16"))
    kept: list[bool] = []
    tiny_model.model.layers[1].register_forward_pre_hook(
        lambda *_: kept.append(torch.is_autocast_cache_enabled())
    )
    engine.score(ROWS)
    assert set(kept) == {not sharded}


def test_float16_is_for_weights_under_an_adapter(tiny_model: Qwen2ForCausalLM) -> None:
    pytest.importorskip("peft")
    tiny_model.half()
    with pytest.raises(ConfigError, match=r"weights in float16 cannot be trained; load the model"):
        Engine(tiny_model, config())
    engine = Engine(tiny_model, config(lora=LoraConfig(rank=2)))
    parts = {p.dtype for group in engine.optimizer.param_groups for p in group["params"]}
    assert parts == {torch.float32}
    assert tiny_model.lm_head.weight.dtype == torch.float16


def test_an_error_in_the_layers_leaves_autocast(tiny_model: Qwen2ForCausalLM) -> None:
    Engine(tiny_model.float(), config(mixed_precision="bf16"))
    with pytest.raises(TypeError):
        tiny_model.model("no ids", "no mask", "too", "many", "arguments", "by", "far", "here", "!")
    assert not torch.is_autocast_enabled("cpu")


def saved_numbers(engine: Engine, objective: Callable[[torch.Tensor], torch.Tensor]) -> int:
    """Takes one gradient, and returns how many numbers its graph kept, weights left out."""
    weights = {p.data_ptr() for p in engine.model.parameters()}
    kept: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept.append(tensor.numel())
        return tensor

    engine.model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = objective(engine.score(ROWS * 4).entropy)
    numbers = sum(kept)
    loss.backward()  # type: ignore[no-untyped-call]
    return numbers


def test_layers_are_computed_again_with_the_same_gradient(tiny_model: Qwen2ForCausalLM) -> None:
    settings = tiny_model.config.to_dict() | {"attention_dropout": 0.5, "num_hidden_layers": 6}
    del settings["layer_types"]
    model = Qwen2ForCausalLM(Qwen2Config.from_dict(settings)).double()
    plain = Engine(model, config())
    usual = saved_numbers(plain, torch.sum)
    exact = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    fewer = saved_numbers(Engine(model, config(gradient_checkpointing=True)), torch.sum)
    assert fewer < usual / 2, (fewer, usual)
    again = [p.grad for p in model.parameters() if p.grad is not None]
    assert len(again) == len(exact)
    for a, b in zip(again, exact, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)
    assert not any(module.training for module in model.modules())


def test_sampling_keeps_its_cache(tiny_model: Qwen2ForCausalLM) -> None:
    sampler = ModelSampler(tiny_model, SamplingConfig(6), batch_size=4)
    engine = Engine(tiny_model, config())
    before = engine.sample(sampler, [[5, 3, 9]], seeds=[[0]])
    widths: list[int] = []
    tiny_model.model.register_forward_pre_hook(
        lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    engine = Engine(tiny_model, config(gradient_checkpointing=True))
    assert engine.sample(sampler, [[5, 3, 9]], seeds=[[0]]) == before
    assert widths[0] == 3
    assert set(widths[1:]) <= {1}


def test_a_model_without_such_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="gradient_checkpointing: Linear has no layers"):
        checkpointed_layers(torch.nn.Linear(2, 2))
