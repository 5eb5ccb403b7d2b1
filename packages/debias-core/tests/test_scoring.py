"""Scoring and sampling agree, and neither depends on padding or on the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import Qwen2ForCausalLM

from debias_core.errors import DataError
from debias_core.sampling.base import SamplingConfig
from debias_core.sampling.model import sample
from debias_core.scoring.answers import ScoredRow, score
from debias_core.scoring.entropy import token_entropy
from debias_core.scoring.reference import FrozenModel

ROWS = [
    ScoredRow([5, 9, 11], [20, 21, 1]),
    ScoredRow([7], [1]),  # an answer of nothing but EOS
    ScoredRow([4, 8, 15, 16, 23, 42], [3, 3, 1, 7, 1]),  # EOS inside: scoring does not judge
]


def test_entropies_by_the_definition(tiny_model: Qwen2ForCausalLM) -> None:
    """Shift by one, no padding, one row at a time."""
    got = score(tiny_model, ROWS).entropy
    for row, value in zip(ROWS, got, strict=True):
        ids = torch.tensor([[*row.prompt, *row.answer]])
        logits = tiny_model(ids).logits[0]
        first = len(row.prompt) - 1
        expected = token_entropy(logits[first : first + len(row.answer)]).mean()
        assert value.item() == pytest.approx(expected.item(), abs=1e-9)


def test_a_row_scores_the_same_in_any_batch(tiny_model: Qwen2ForCausalLM) -> None:
    together = score(tiny_model, ROWS, reference=FrozenModel.copy_of(tiny_model))
    for i, row in enumerate(ROWS):
        alone = score(tiny_model, [row])
        assert together.entropy[i].item() == pytest.approx(alone.entropy.item(), abs=1e-9)
    assert together.kl is not None
    assert together.kl.abs().max().item() < 1e-12


def test_equal_entropies_of_unequal_lengths_make_no_gap() -> None:
    """64 and 128 tokens of a uniform model: the gap is 0, not a factor of 2."""
    from debias_core.objectives import signed_gap
    from debias_core.scoring.entropy import mean_per_sample

    values = torch.full((192,), 2.5)
    samples = torch.tensor([0] * 64 + [1] * 128)
    h = mean_per_sample(values, samples, 2)
    assert signed_gap(h, ["female", "male"]).item() == 0.0


def test_sampling_reports_the_entropies_that_scoring_finds(tiny_model: Qwen2ForCausalLM) -> None:
    prompts = [[5, 9, 11], [7], [4, 8, 15, 16, 23, 42], [30, 31]]
    config = SamplingConfig(max_new_tokens=24)
    answers = sample(tiny_model, prompts, config, seeds=[[0, i] for i in range(4)])
    rows = [ScoredRow(p, a.tokens) for p, a in zip(prompts, answers, strict=True)]
    scored = score(tiny_model, rows).entropy
    np.testing.assert_allclose(scored.detach().numpy(), [a.entropy for a in answers], atol=2e-6)
    for answer in answers:
        assert 1 not in answer.tokens[:-1]
        assert answer.truncated == (answer.tokens[-1] != 1)


def test_an_answer_does_not_depend_on_its_neighbours(tiny_model: Qwen2ForCausalLM) -> None:
    prompts = [[5, 9, 11], [7], [4, 8, 15, 16, 23, 42], [30, 31]]
    config = SamplingConfig(max_new_tokens=24)
    tiny_model.generation_config.eos_token_id = list(range(1, 9))
    together = sample(tiny_model, prompts, config, seeds=[[3, i] for i in range(4)])
    assert len({len(a.tokens) for a in together}) > 1, "rows must end at different steps"
    for i, prompt in enumerate(prompts):
        alone = sample(tiny_model, [prompt], config, seeds=[[3, i]])[0]
        assert alone.tokens == together[i].tokens


def test_samples_follow_the_distribution(tiny_model: Qwen2ForCausalLM) -> None:
    config = SamplingConfig(max_new_tokens=1, temperature=2.0)
    n = 3000
    drawn = sample(tiny_model, [[5, 9]] * n, config, seeds=[[1, i] for i in range(n)])
    counts = np.bincount([a.tokens[0] for a in drawn], minlength=61)
    with torch.no_grad():
        p = torch.softmax(tiny_model(torch.tensor([[5, 9]])).logits[0, -1] / 2.0, -1).numpy()
    expected = p * n
    big = expected >= 5
    chi2 = ((counts - expected)[big] ** 2 / expected[big]).sum()
    assert chi2 < big.sum() + 4 * (2 * big.sum()) ** 0.5


def test_a_row_without_tokens_is_refused(tiny_model: Qwen2ForCausalLM) -> None:
    with pytest.raises(DataError, match="at least one prompt and one answer token"):
        score(tiny_model, [ScoredRow([1, 2], [])])
