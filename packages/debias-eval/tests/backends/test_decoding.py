"""Sampling: greedy text is that of one-by-one `generate`; draws do not depend on the batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from debias_eval.backends.base import BackendSettings, GenerationRequest, Prompt
from debias_eval.backends.decoding import DecodeRow, _choose, _nucleus, row_uniforms
from debias_eval.backends.transformers_backend import TransformersBackend

PROMPTS = ["Once upon a time", "Tom", "The little girl said to her mother that she", "One day", "A"]


def _requests(**changes: object) -> list[GenerationRequest]:
    base = GenerationRequest("k", Prompt(""), 24)
    return [
        replace(base, key=f"{place}#0", prompt=Prompt(prompt), **changes)
        for place, prompt in enumerate(PROMPTS)
    ]


@pytest.fixture(scope="module", params=["tiny_qwen", "tiny_llama", "stories"])
def backend(request: pytest.FixtureRequest) -> TransformersBackend:
    folder: Path = request.getfixturevalue(request.param)
    return TransformersBackend(folder, BackendSettings(device="cpu"))


def test_greedy_equals_generate_one_by_one(backend: TransformersBackend) -> None:
    model, tokenizer, _ = backend._loaded
    answers = backend.generate(_requests(max_new_tokens=40))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False
        )[0, ids.shape[1] :].tolist()
        assert list(answer.token_ids) == expected


def test_samples_do_not_depend_on_the_batch(backend: TransformersBackend) -> None:
    requests = _requests(temperature=1.0, seed=3)
    together = backend.generate(requests)
    alone = [backend.generate([request])[0] for request in requests]
    backwards = backend.generate(requests[::-1])[::-1]
    assert together == alone == backwards
    assert together != backend.generate(_requests(temperature=1.0, seed=4))


def test_rows_with_their_own_limits_and_temperatures(backend: TransformersBackend) -> None:
    requests = [
        replace(request, max_new_tokens=limit, temperature=float(limit % 2))
        for limit, request in enumerate(_requests(), start=3)
    ]
    together = backend.generate(requests)
    assert together == [backend.generate([request])[0] for request in requests]
    assert all(
        len(a.token_ids) <= r.max_new_tokens for a, r in zip(together, requests, strict=True)
    )


def test_a_prompt_longer_than_the_context_is_an_outcome(backend: TransformersBackend) -> None:
    long = GenerationRequest("long#0", Prompt("word " * backend.context_length), 8)
    answer, other = backend.generate([long, _requests()[0]])
    assert answer.finish_reason == "too_long"
    assert (answer.text, answer.token_ids) == ("", ())
    assert other.finish_reason in ("length", "stop")


def test_an_answer_ends_where_the_context_does(tiny_qwen: Path) -> None:
    backend = TransformersBackend(tiny_qwen, BackendSettings(device="cpu"))
    answer = backend.generate([GenerationRequest("k#0", Prompt("x" * 250), 50)])[0]
    assert len(answer.token_ids) <= 6
    assert answer.finish_reason in ("length", "stop")


def test_stop_strings_cut_the_text(stories: Path) -> None:
    backend = TransformersBackend(stories, BackendSettings(device="cpu"))
    free = backend.generate([replace(_requests()[0], max_new_tokens=60)])[0]
    stop = "girl named"
    assert stop in free.text
    cut = backend.generate([replace(_requests()[0], max_new_tokens=60, stop=(stop, "never"))])[0]
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert len(cut.token_ids) < len(free.token_ids)


def test_the_first_word_keeps_its_space(stories: Path) -> None:
    """A program's indentation must survive a tokenizer that hides leading spaces."""
    backend = TransformersBackend(stories, BackendSettings(device="cpu"))
    answer = backend.generate([GenerationRequest("k#0", Prompt("Tom"), 4)])[0]
    assert answer.text.startswith(" and")


def test_stop_ids_come_from_the_generation_config(stories: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(stories, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    config["eos_token_id"] = [2, 426]  # 426 is the full stop
    (folder / "generation_config.json").write_text(json.dumps(config))
    answer = TransformersBackend(folder, BackendSettings(device="cpu")).generate(
        [GenerationRequest("k#0", Prompt("Once upon a time"), 60)]
    )[0]
    assert answer.finish_reason == "stop"
    assert answer.token_ids[-1] == 426
    assert 426 not in answer.token_ids[:-1]


def test_draws_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.0, 0.2])
    rows = [DecodeRow(f"k{i}", (0,), 1, 1.0, 1.0, 0) for i in range(4000)]
    draws = torch.tensor([row_uniforms(row)[0] for row in rows], dtype=torch.float64)
    tokens = _choose(probabilities.log().expand(4000, 4).clone(), rows, draws).tolist()
    counts = Counter(tokens)
    assert counts[2] == 0
    for token, share in enumerate(probabilities.tolist()):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)


def test_nucleus_keeps_the_smallest_set_that_reaches_the_mass() -> None:
    probs = torch.tensor([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]], dtype=torch.float64)
    kept = _nucleus(probs, torch.tensor([0.7, 0.1], dtype=torch.float64))
    assert kept.tolist() == [[0.0, 0.5, 0.3], [0.9, 0.0, 0.0]]


def test_batches_are_a_function_of_the_list(backend: TransformersBackend) -> None:
    requests = _requests() * 3
    batches = backend.batches(requests)
    assert sorted(index for batch in batches for index in batch) == list(range(len(requests)))
    assert batches == backend.batches(requests)
    small = TransformersBackend(backend._folder, BackendSettings(device="cpu", batch_size=4))
    assert [len(batch) for batch in small.batches(requests)] == [4, 4, 4, 3]
