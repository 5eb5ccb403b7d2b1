"""Prompts that several answers share are read once: the same scores, in fewer tokens."""

from __future__ import annotations

import math

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from debias_eval.backends import rows as row_scoring
from debias_eval.backends.prefix import SharedPrompt, can_share_prompts, worth_sharing
from debias_eval.backends.rows import RowCosts, group_by_length, score_rows
from debias_eval.backends.scoring import score_answers

SIZES = {
    "vocab_size": 61,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GEMMA = {**SIZES, "head_dim": 4, "query_pre_attn_scalar": 4}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
FAMILIES = {
    "Llama": SIZES,
    "Qwen2": SIZES | {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    "Qwen3": SIZES | {"head_dim": 4},
    "Qwen3Moe": SIZES | EXPERTS | {"num_experts": 4, "head_dim": 4},
    "Mistral": SIZES | {"sliding_window": 6},
    "Gemma2": GEMMA | {"sliding_window": 6},
    "Gemma3": GEMMA | {"sliding_window": 6},
    "Phi3": SIZES,
    "Olmo2": SIZES,
    "GPT2": SIZES | {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "GPTNeoX": SIZES,
    "OPT": SIZES | {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "Bloom": {**SIZES, "n_layer": 2, "n_head": 4},
}
STATEFUL = {"Mamba": SIZES | {"state_size": 4}}
# Three answers to a long prompt, one of them a single token; two to a shorter one; one alone.
LONG, SHORT, OTHER = list(range(3, 23)), list(range(30, 42)), [50, 51, 52]
ROWS = [
    (LONG, [5]),
    (SHORT, [7, 8, 9]),
    (LONG, [6, 2]),
    (OTHER, [4, 4, 4, 2]),
    (SHORT, [0, 2]),
    (LONG, [11, 12, 13, 2]),
]


def _build(family: str) -> PreTrainedModel:
    config = getattr(transformers, {"Gemma3": "Gemma3TextConfig"}.get(family, f"{family}Config"))
    name = {"GPT2": "GPT2LMHeadModel"}.get(family, f"{family}ForCausalLM")
    torch.manual_seed(0)
    return getattr(transformers, name)(config(**(FAMILIES | STATEFUL)[family])).eval()


def _costs(rows: int = 64) -> RowCosts:
    return RowCosts(kv_bytes=1, logit_bytes=1, rows_for=lambda _tokens, _bytes: rows)


def _one_by_one(model: PreTrainedModel) -> list[list[float]]:
    return [score_answers(model, [p], [a], 0)[0].logprob.tolist() for p, a in ROWS]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_scores_from_one_reading(family: str) -> None:
    model = _build(family)
    assert can_share_prompts(model)
    read: list[int] = []
    model.register_forward_pre_hook(
        lambda _module, _args, options: read.append(int(options["attention_mask"].sum())),
        with_kwargs=True,
    )
    found = score_rows(model, ROWS, _costs())
    assert len(read) == 3  # the two prompts, what follows them, and the row on its own
    apart = score_answers(model, [p for p, _ in ROWS], [a for _, a in ROWS], 0)
    for shared, unshared, alone in zip(found, apart, _one_by_one(model), strict=True):
        assert shared.logprob.tolist() == pytest.approx(unshared.logprob.tolist(), abs=1e-5)
        assert shared.entropy.tolist() == pytest.approx(unshared.entropy.tolist(), abs=1e-5)
        assert shared.logprob.tolist() == pytest.approx(alone, abs=1e-5)


def test_a_batch_of_one_prompt_and_answers_of_one_token() -> None:
    model = _build("Llama")
    expected = _one_by_one(model)
    found = score_rows(model, ROWS, _costs(rows=1))
    assert [score.logprob.tolist() for score in found] == [
        pytest.approx(values, abs=1e-5) for values in expected
    ]
    letters = [(LONG, [token]) for token in (5, 6, 7)]
    with torch.no_grad():
        logits = model(torch.tensor([LONG])).logits[0, -1].double().log_softmax(-1)
    assert [float(s.logprob) for s in score_rows(model, letters, _costs())] == [
        pytest.approx(float(logits[token]), abs=1e-5) for token in (5, 6, 7)
    ]


@pytest.mark.parametrize("family", STATEFUL)
def test_a_recurrent_model_reads_every_row(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _build(family)
    assert not can_share_prompts(model)
    monkeypatch.delattr(row_scoring, "score_after_prompts")
    found = score_rows(model, ROWS[:1], _costs())
    assert found[0].logprob.tolist() == pytest.approx(_one_by_one(model)[0], abs=1e-5)


def test_layers_that_are_not_plain_attention_are_not_shared() -> None:
    config = transformers.Lfm2Config(**SIZES, layer_types=["conv", "full_attention"])
    assert not can_share_prompts(transformers.Lfm2ForCausalLM(config))


@pytest.mark.parametrize(
    ("prompt", "answers", "expected"),
    [
        ([1], [[5] * 9, [6] * 9], False),  # two texts after a start token
        ([1] * 30, [[5], [6], [7]], True),
        ([1] * 30, [[5]], False),
        ([1] * 10, [[5] * 5, [6] * 5], False),
    ],
)
def test_what_is_worth_sharing(prompt: list[int], answers: list[list[int]], expected: bool) -> None:
    assert worth_sharing(SharedPrompt(prompt, answers)) is expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 20), st.sampled_from([0.0, 0.75]))
def test_batches_hold_every_row_once_longest_first(
    lengths: list[int], rows: int, least_filled: float
) -> None:
    groups = group_by_length(lengths, lambda _: rows, least_filled=least_filled)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    flat = [lengths[index] for group in groups for index in group]
    assert flat == sorted(lengths, reverse=True)
    assert all(len(group) <= rows for group in groups)
    assert len(groups) >= math.ceil(len(lengths) / rows)
    for group in groups:
        if len(group) > 8:
            assert lengths[group[8]] >= least_filled * lengths[group[0]]
