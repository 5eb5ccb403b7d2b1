"""The model sampler: places that are refilled change who is answered when, and no answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import DynamicCache, Qwen2ForCausalLM

from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.cache import compact, merge, mergeable
from debias_core.sampling.model import ModelSampler, Places, eos_ids, sample
from debias_core.scoring.answers import ScoredRow, score

CONFIG = SamplingConfig(max_new_tokens=20)


@pytest.fixture
def model(tiny_model: Qwen2ForCausalLM) -> Qwen2ForCausalLM:
    """In float64, with enough ends that answers are of very different lengths."""
    tiny_model.generation_config.eos_token_id = list(range(1, 7))
    return tiny_model


def prompts(number: int) -> list[list[int]]:
    random = np.random.default_rng(0)
    return [random.integers(7, 61, random.integers(1, 15)).tolist() for _ in range(number)]


def seeds(number: int) -> list[list[int]]:
    return [[4, row] for row in range(number)]


@pytest.fixture
def alone(model: Qwen2ForCausalLM) -> list[Answer]:
    """Every prompt answered by itself."""
    return [
        sample(model, [prompt], CONFIG, seeds=[seed])[0]
        for prompt, seed in zip(prompts(23), seeds(23), strict=True)
    ]


@pytest.mark.parametrize("places", [Places(1), Places(5), Places(5, refill=True), Places(64)])
def test_an_answer_does_not_depend_on_its_places(
    model: Qwen2ForCausalLM, alone: list[Answer], places: Places
) -> None:
    together = sample(model, prompts(23), CONFIG, seeds=seeds(23), places=places)
    assert [a.tokens for a in together] == [a.tokens for a in alone]
    assert [a.truncated for a in together] == [a.truncated for a in alone]
    assert {a.outcome for a in together} == {"complete", "truncated", "empty"}
    np.testing.assert_allclose([a.entropy for a in together], [a.entropy for a in alone], atol=1e-6)


def test_refilled_places_report_the_entropies_that_scoring_finds(model: Qwen2ForCausalLM) -> None:
    drawn = sample(model, prompts(23), CONFIG, seeds=seeds(23), places=Places(4, refill=True))
    rows = [ScoredRow(p, a.tokens) for p, a in zip(prompts(23), drawn, strict=True)]
    scored = score(model, rows).entropy.detach().numpy()
    np.testing.assert_allclose([a.entropy for a in drawn], scored, atol=2e-6)


def test_refilling_takes_fewer_passes(model: Qwen2ForCausalLM) -> None:
    passes: list[int] = []
    model.register_forward_hook(lambda *_: passes.append(1))
    counts = []
    for refill in (False, True):
        passes.clear()
        sampler = ModelSampler(model, CONFIG, batch_size=4, refill=refill)
        sampler.sample(prompts(40), seeds=seeds(40))
        counts.append(len(passes))
    assert counts[1] < 0.75 * counts[0]


def test_a_cache_that_forgets_columns_is_never_refilled(
    model: Qwen2ForCausalLM, alone: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sliding windows: the batch is answered to its end first, and shrinks on the way."""
    model.config.layer_types = ["sliding_attention", "full_attention"]
    model.config.sliding_window, model.config.use_sliding_window = 64, True
    model.model.has_sliding_layers = True
    cache = DynamicCache(config=model.config)
    assert not mergeable(cache)

    def never(*_: object) -> None:
        raise AssertionError("merged")

    monkeypatch.setattr("debias_core.sampling.model.merge", never)
    together = sample(model, prompts(23), CONFIG, seeds=seeds(23), places=Places(5, refill=True))
    assert [a.tokens for a in together] == [a.tokens for a in alone], "the window covers them"


def test_columns_of_nobody_are_cut_and_narrow_rows_padded() -> None:
    def cache(rows: int, width: int) -> DynamicCache:
        made = DynamicCache()
        states = torch.arange(rows * width, dtype=torch.float32).view(rows, 1, width, 1) + 1
        made.update(states, -states, 0)
        return made

    wide = cache(3, 4)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])
    stay = torch.tensor([1, 2])
    assert compact(wide, stay, mask[stay]) == 1
    assert wide.layers[0].keys[:, 0, :, 0].tolist() == [[6, 7, 8], [10, 11, 12]]
    both = merge(wide, mask[stay][:, 1:], cache(1, 1), torch.ones(1, 2, dtype=torch.long))
    assert wide.layers[0].keys[:, 0, :, 0].tolist() == [[6, 7, 8], [10, 11, 12], [0, 0, 1]]
    assert wide.layers[0].values[2, 0, :, 0].tolist() == [0, 0, -1]
    assert both.tolist() == [[0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1]]


def test_nothing_asked_nothing_answered(model: Qwen2ForCausalLM) -> None:
    assert ModelSampler(model, CONFIG, batch_size=2).sample([], seeds=[]) == []
    assert eos_ids(model) == (1, 2, 3, 4, 5, 6)
