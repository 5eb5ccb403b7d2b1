"""Entropies: worked values, invariance to padding and batching, EOS that equals pad."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from debias_eval.backends.base import AnswerRow, BackendSettings, Prompt
from debias_eval.backends.scoring import pad_left, position_ids, token_scores
from debias_eval.backends.tokenizing import TextCodec
from debias_eval.backends.transformers_backend import TransformersBackend

PROMPTS = ["Once upon a time", "Tom", "The little girl said to her mother that she", "A"]


def test_entropy_of_known_distributions() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [math.log(3), 0.0, -math.inf, -math.inf]])
    scores = token_scores(logits, torch.tensor([2, 0]))
    expected = [math.log(4), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))]
    assert scores.entropy.tolist() == pytest.approx(expected, abs=1e-6)
    assert scores.logprob.tolist() == pytest.approx([-math.log(4), math.log(0.75)], abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=12),
    st.floats(-1000, 1000, width=32),
)
def test_entropy_against_float64_and_shift(logits: list[float], shift: float) -> None:
    exact = torch.tensor(logits, dtype=torch.float64).log_softmax(-1)
    reference = float(-(exact.exp() * exact).sum())
    target = torch.tensor(0)
    assert float(token_scores(torch.tensor(logits), target).entropy) == pytest.approx(
        reference, abs=1e-5
    )
    moved = token_scores(torch.tensor(logits, dtype=torch.float64) + shift, target)
    assert moved.entropy.dtype == torch.float32
    assert float(moved.entropy) == pytest.approx(reference, abs=2e-3)


def test_positions_count_from_the_first_real_token() -> None:
    padded = pad_left([[7, 8, 9], [5]], 0, torch.device("cpu"))
    assert padded.ids.tolist() == [[7, 8, 9], [0, 0, 5]]
    assert position_ids(padded.mask).tolist() == [[0, 1, 2], [0, 0, 0]]


@pytest.fixture(scope="module", params=["tiny_qwen", "tiny_llama"])
def backend(request: pytest.FixtureRequest) -> TransformersBackend:
    folder: Path = request.getfixturevalue(request.param)
    return TransformersBackend(folder, BackendSettings(device="cpu"))


def _reference(backend: TransformersBackend, prompt: str, answer: tuple[int, ...]) -> torch.Tensor:
    """One row, no padding, default positions, full logits."""
    model, tokenizer, _ = backend._loaded
    ids = tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([ids + list(answer)])).logits[0, len(ids) - 1 : -1]
    logs = logits.double().log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def test_a_row_is_the_same_alone_padded_and_in_any_batch(backend: TransformersBackend) -> None:
    answers = [(5, 9, 80, 0), (0,), (33, 44, 55, 66, 77, 88, 99, 0), (1, 2)]
    rows = [AnswerRow(Prompt(p), a) for p, a in zip(PROMPTS, answers, strict=True)]
    batched = backend.answer_entropies(rows)
    backwards = backend.answer_entropies(rows[::-1])[::-1]
    for row, together, reverse in zip(rows, batched, backwards, strict=True):
        reference = _reference(backend, row.prompt.text, row.answer_ids).tolist()
        alone = backend.answer_entropies([row])[0]
        for scores in (alone, together, reverse):
            assert scores is not None
            assert list(scores.entropies) == pytest.approx(reference, abs=1e-5)
            assert len(scores.logprobs) == len(row.answer_ids)


def test_eos_counts_although_it_is_the_pad_token(backend: TransformersBackend) -> None:
    with_eos, without = backend.answer_entropies(
        [AnswerRow(Prompt("A"), (5, 6, 0)), AnswerRow(Prompt("A"), (5, 6))]
    )
    assert with_eos is not None
    assert without is not None
    assert len(with_eos.entropies) == 3
    assert with_eos.entropies[:2] == pytest.approx(without.entropies, abs=1e-5)


def test_too_long_rows_are_none_and_empty_answers_are_empty(backend: TransformersBackend) -> None:
    long, empty, fine = backend.answer_entropies(
        [
            AnswerRow(Prompt("x" * 400), (1,)),
            AnswerRow(Prompt("x"), ()),
            AnswerRow(Prompt("x"), (3,)),
        ]
    )
    assert long is None
    assert empty is not None
    assert empty.entropies == ()
    assert fine is not None


def test_loglikelihood_of_a_continuation(backend: TransformersBackend) -> None:
    score = backend.loglikelihood([("ab", "cd")])[0]
    model, tokenizer, _ = backend._loaded
    ids = tokenizer("abcd")["input_ids"]
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    assert score is not None
    assert score.num_tokens == 2
    assert score.logprob == pytest.approx(float(logs[1, ids[2]] + logs[2, ids[3]]), abs=1e-4)


def test_loglikelihood_adds_up_and_keeps_joined_tokens(stories: Path) -> None:
    backend = TransformersBackend(stories, BackendSettings(device="cpu"))
    whole, first, second, joined = backend.loglikelihood(
        [("", "Once upon a time"), ("", "Once upon"), ("Once upon", " a time"), ("Once up", "on a")]
    )
    assert whole is not None
    assert first is not None
    assert second is not None
    assert joined is not None
    assert whole.num_tokens == first.num_tokens + second.num_tokens
    assert whole.logprob == pytest.approx(first.logprob + second.logprob, abs=1e-4)
    assert joined.num_tokens == 2  # "upon" is one token: it straddles the cut and is scored


def test_bfloat16_weights_are_scored_with_a_float32_head(tiny_llama: Path) -> None:
    rows = [AnswerRow(Prompt(p), (5, 9, 80, 0)) for p in PROMPTS]
    low = TransformersBackend(tiny_llama, BackendSettings(device="cpu", dtype="bfloat16"))
    model = low._loaded.model
    scores = low.answer_entropies(rows)
    ids = low._loaded.tokenizer(PROMPTS[0])["input_ids"] + [5, 9, 80, 0]
    with torch.no_grad():
        hidden = model.model(torch.tensor([ids])).last_hidden_state[0, -5:-1].double()
        logs = (hidden @ model.lm_head.weight.double().T).log_softmax(-1)
    expected = (-(logs.exp() * logs).sum(-1)).tolist()
    assert scores[0] is not None
    # The hidden states are bfloat16 and differ a little with padding; the head adds nothing.
    assert list(scores[0].entropies) == pytest.approx(expected, abs=5e-2)
    alone = low.answer_entropies(rows[:1])[0]
    assert alone is not None
    assert list(alone.entropies) == pytest.approx(expected, abs=1e-5)


def test_stories_entropies_alone_and_in_a_batch(stories: Path) -> None:
    backend = TransformersBackend(stories, BackendSettings(device="cpu"))
    rows = [AnswerRow(Prompt(p), (400, 5, 17, 2)) for p in PROMPTS]
    for row, together in zip(rows, backend.answer_entropies(rows), strict=True):
        alone = backend.answer_entropies([row])[0]
        assert alone is not None
        assert together is not None
        assert together.entropies == pytest.approx(alone.entropies, abs=1e-5)


def test_a_start_token_that_a_template_wrote_is_not_doubled(stories: Path) -> None:
    codec = TextCodec(AutoTokenizer.from_pretrained(stories), str(stories))
    bare, written = codec.split("Once upon", " a time"), codec.split("<s>Once upon", " a time")
    start = codec.start_id()
    assert bare[0][0] == written[0][0] == start
    assert written[0].count(start) == 1
    assert written[1] == bare[1]
