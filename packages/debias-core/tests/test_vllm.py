"""The vLLM engine as a sampler, on a real engine where one is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from debias_core.config import TrainConfig
from debias_core.errors import ConfigError, ModelError
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.sampling.vllm import (
    VllmSampler,
    VllmSettings,
    engine_seed,
    untied_config,
    write_weights,
)
from debias_core.training.trainer import DebiasTrainer

HAVE_VLLM = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(
    not HAVE_VLLM, reason="vllm is not in this environment; it has one of its own: nox -s vllm"
)
PROMPTS = [[5, 9, 11], [7, 8], [4, 8, 15, 16, 23, 42], [30, 31, 5, 6]]
SEEDS = [[0, row] for row in range(len(PROMPTS))]
GREEDY = SamplingConfig(max_new_tokens=12, temperature=0.0)  # as vLLM writes it
ALMOST_GREEDY = SamplingConfig(max_new_tokens=12, temperature=1e-6)


@pytest.fixture
def model() -> Qwen2ForCausalLM:
    """Random, with heads of a width that vLLM's kernels have; EOS is 1."""
    return make_model()


def make_model() -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        initializer_range=0.3,
        eos_token_id=1,
        pad_token_id=1,
        bos_token_id=None,
        tie_word_embeddings=True,
        dtype="float32",
    )
    return Qwen2ForCausalLM(config).eval()


def change(model: Qwen2ForCausalLM) -> None:
    """An update that no greedy answer survives."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))


def greedy(model: Qwen2ForCausalLM) -> list[Answer]:
    """What the model itself answers."""
    return ModelSampler(model, ALMOST_GREEDY, batch_size=4).sample(PROMPTS, seeds=SEEDS)


class Engine:
    """One engine for all tests, since a process can hold one: a model and its samplers."""

    def __init__(self, folder: Path) -> None:
        self.model = make_model()
        self.greedy = VllmSampler(
            self.model, GREEDY, folder, settings=VllmSettings(max_model_len=128)
        )
        self.start = {k: v.clone() for k, v in self.model.state_dict().items()}

    def with_config(self, config: SamplingConfig) -> VllmSampler:
        """The same engine with another length limit and temperature."""
        self.greedy.sample(PROMPTS[:1], seeds=SEEDS[:1])
        other = VllmSampler(self.model, config, self.greedy._folder)
        other._engine, other._stale = self.greedy._engine, False
        return other


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    engine = Engine(tmp_path_factory.mktemp("vllm") / "weights")
    yield engine
    engine.greedy.close()


@pytest.fixture
def engine(shared_engine: Engine) -> Engine:
    shared_engine.model.load_state_dict(shared_engine.start)
    shared_engine.greedy.weights_changed()
    return shared_engine


@needs_vllm
def test_greedy_answers_are_those_of_transformers(engine: Engine) -> None:
    answers = engine.greedy.sample(PROMPTS, seeds=SEEDS)
    expected = greedy(engine.model)
    assert [a.tokens for a in answers] == [a.tokens for a in expected]
    assert [a.truncated for a in answers] == [a.truncated for a in expected]
    assert all(a.entropy is None for a in answers)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = engine.model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=12)
        assert tuple(ids[0, len(prompt) :].tolist()) == answer.tokens


@needs_vllm
def test_answers_follow_an_update(engine: Engine) -> None:
    before = [a.tokens for a in engine.greedy.sample(PROMPTS, seeds=SEEDS)]
    for _ in range(2):
        change(engine.model)
        engine.greedy.weights_changed()
        after = [a.tokens for a in engine.greedy.sample(PROMPTS, seeds=SEEDS)]
        expected = ModelSampler(engine.model, ALMOST_GREEDY, batch_size=4).sample(
            PROMPTS, seeds=SEEDS
        )
        assert after == [a.tokens for a in expected]
        assert after != before
        before = after


@needs_vllm
def test_an_answer_depends_on_its_seed_and_not_on_its_neighbours(engine: Engine) -> None:
    sampler = engine.with_config(SamplingConfig(max_new_tokens=12))
    together = sampler.sample(PROMPTS, seeds=SEEDS)
    alone = [sampler.sample([p], seeds=[s])[0] for p, s in zip(PROMPTS, SEEDS, strict=True)]
    assert [a.tokens for a in alone] == [a.tokens for a in together]
    others = sampler.sample(PROMPTS, seeds=[[1, row] for row in range(len(PROMPTS))])
    assert [a.tokens for a in others] != [a.tokens for a in together]
    for answer in together:
        assert 1 not in answer.tokens[:-1]
        assert answer.truncated == (answer.tokens[-1] != 1)


@needs_vllm
def test_samples_follow_the_distribution(engine: Engine) -> None:
    n = 600
    sampler = engine.with_config(SamplingConfig(max_new_tokens=1, temperature=2.0))
    drawn = sampler.sample([[5, 9]] * n, seeds=[[7, row] for row in range(n)])
    counts = torch.bincount(torch.tensor([a.tokens[0] for a in drawn]), minlength=64)
    with torch.no_grad():
        logits = engine.model(torch.tensor([[5, 9]])).logits[0, -1]
    expected = n * torch.softmax(logits / 2.0, -1)
    big = expected >= 5
    chi2 = ((counts - expected)[big] ** 2 / expected[big]).sum()
    assert chi2 < big.sum() + 4 * (2 * big.sum()) ** 0.5


@needs_vllm
def test_a_training_draws_with_the_engine(
    engine: Engine,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Callable[..., list[dict[str, object]]],
) -> None:
    config = TrainConfig(
        max_steps=2, effective_batch_size=8, max_new_tokens=6, eval_every=2, learning_rate=1e-2
    )
    sampler = engine.with_config(SamplingConfig.of_training(config))
    pushed: list[bytes] = []
    generate = sampler._bring_up_to_date

    def noticing(vllm: object) -> None:
        generate(vllm)
        pushed.append((sampler._folder / "model.safetensors").read_bytes())

    sampler._bring_up_to_date = noticing  # type: ignore[method-assign]
    sampler.weights_changed()
    trainer = DebiasTrainer(engine.model, tokenizer, config, sampler=sampler)
    result = trainer.fit(make_rows(12), make_rows(6, prefix="d"))
    assert [log.answers for log in result.history] == [8, 8]
    assert result.evaluations[-1].entropies[0] > 0, "scored by the model"
    first, step_1, step_2, look = pushed
    assert first == step_1, "nothing was updated between the look and the first step"
    assert len({step_1, step_2, look}) == 3, "every update is drawn with"


def test_the_engine_may_hold_weights_of_another_type(
    model: Qwen2ForCausalLM, tmp_path: Path
) -> None:
    asked = SimpleNamespace(LLM=lambda **arguments: arguments)
    for dtype, expected in ((None, "float32"), ("bfloat16", "bfloat16")):
        settings = VllmSettings(dtype=dtype)
        sampler = VllmSampler(model, GREEDY, tmp_path, settings=settings)
        assert sampler._start(asked)["dtype"] == expected


@pytest.mark.skipif(HAVE_VLLM, reason="vllm is in this environment")
def test_without_vllm_the_error_says_what_to_install(
    model: Qwen2ForCausalLM, tmp_path: Path
) -> None:
    sampler = VllmSampler(model, GREEDY, tmp_path)
    with pytest.raises(ConfigError, match=r"install `debias-core\[vllm\]` in an environment"):
        sampler.sample(PROMPTS, seeds=SEEDS)


def test_the_weights_are_written_whole_under_all_names(
    model: Qwen2ForCausalLM, tmp_path: Path
) -> None:
    path = write_weights(model, tmp_path)
    written = load_file(path)
    assert torch.equal(written["lm_head.weight"], model.model.embed_tokens.weight)
    assert written.keys() == model.state_dict().keys()
    assert model.config.tie_word_embeddings
    assert not untied_config(model).tie_word_embeddings
    assert model.config.tie_word_embeddings, "the model's own config stays"
    for name, parameter in model.named_parameters():
        assert torch.equal(written[name], parameter), name
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    with torch.no_grad():
        model.model.norm.weight[0] = torch.nan
    old = path.read_bytes()
    with pytest.raises(ModelError, match="'model.norm.weight' holds values that are not finite"):
        write_weights(model, tmp_path)
    assert path.read_bytes() == old


def test_an_adapter_is_merged_into_what_is_written(model: Qwen2ForCausalLM, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    names = model.state_dict().keys()
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    peft.inject_adapter_in_model(settings, model)
    written = load_file(write_weights(model, tmp_path))
    assert written.keys() == names
    plain = make_model()
    plain.load_state_dict(written)
    ids = torch.tensor([[5, 9, 11, 20]])
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, model(ids).logits, atol=1e-5, rtol=1e-5)


def test_a_seed_is_one_number() -> None:
    assert engine_seed([0, 1, 2]) == engine_seed((0, 1, 2))
    found = {engine_seed([0, step, row]) for step in range(20) for row in range(20)}
    assert len(found) == 400
    assert all(0 <= seed < 2**63 for seed in found)
