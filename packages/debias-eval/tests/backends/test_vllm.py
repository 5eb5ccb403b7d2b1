"""The vllm back end against the transformers one, in an environment that has vLLM.

vLLM pins torch, so it lives in an environment of its own; elsewhere these tests skip, but for those
on what happens without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from debias_eval.backends.base import BackendSettings, GenerationRequest, Prompt
from debias_eval.backends.registry import open_backend
from debias_eval.errors import BackendError, InputError, MissingError, UnknownNameError
from debias_eval.protocol import Protocol

HERE = find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(not HERE, reason="vLLM is not installed in this environment")
PROMPTS = ["Once upon a time", "Tom", "Lily wanted to", "The cat"]


@pytest.mark.skipif(HERE, reason="vLLM is installed")
def test_without_vllm_the_message_says_what_to_install(tiny_llama: Path) -> None:
    with pytest.raises(MissingError, match=r"debias-eval\[vllm\]"):
        open_backend("vllm", tiny_llama)


def test_options_are_checked_before_anything_is_loaded(tiny_llama: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'tensor_parallel'"):
        open_backend("vllm", tiny_llama, BackendSettings(options={"tensor_paralel": 2}))
    with pytest.raises(InputError, match="option tensor_parallel"):
        open_backend("vllm", tiny_llama, BackendSettings(options={"tensor_parallel": "two"}))


@pytest.fixture(scope="module")
def both(make_model: Callable[..., Path]) -> tuple[object, object]:
    """A model with heads of 64, because vLLM's kernels know no smaller ones."""
    if not HERE:
        pytest.skip("vLLM is not installed in this environment")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    model = make_model("qwen2", width=256, seed=3)
    theirs = open_backend("vllm", model, BackendSettings(options={"eager": True}))
    return theirs, open_backend("transformers", model, BackendSettings())


def _requests(**options: object) -> list[GenerationRequest]:
    return [GenerationRequest(f"k{n}#0", Prompt(p), 24, **options) for n, p in enumerate(PROMPTS)]


@needs_vllm
def test_greedy_answers_are_those_of_transformers(both: tuple[object, object]) -> None:
    theirs, ours = (backend.generate(_requests()) for backend in both)
    assert theirs == ours
    stop = next(letter for letter in ours[0].text[2:] if letter.isascii())
    theirs, ours = (backend.generate(_requests(stop=(stop, "never"))) for backend in both)
    assert [(a.text, a.finish_reason) for a in theirs] == [(a.text, a.finish_reason) for a in ours]
    assert theirs[0].finish_reason == "stop"


@needs_vllm
def test_samples_do_not_depend_on_the_batch(both: tuple[object, object]) -> None:
    backend, _ = both
    requests = _requests(temperature=1.0, seed=3)
    together = backend.generate(requests)
    assert together == [backend.generate([request])[0] for request in requests]
    assert together != backend.generate(_requests(temperature=1.0, seed=4))


@needs_vllm
def test_likelihoods_are_those_of_transformers(both: tuple[object, object]) -> None:
    pairs = [
        ("Once upon a", " time"),
        ("", "Tom went home."),
        ("The cat sat on the", " mat, he said"),
    ]
    theirs, ours = (backend.loglikelihood(pairs) for backend in both)
    assert [score.num_tokens for score in theirs] == [score.num_tokens for score in ours]
    assert [score.logprob for score in theirs] == pytest.approx(
        [score.logprob for score in ours], rel=1e-5
    )


@needs_vllm
def test_what_does_not_fit_is_an_outcome(both: tuple[object, object]) -> None:
    backend, other = both
    assert backend.context_length == other.context_length
    long = GenerationRequest("long#0", Prompt("word " * backend.context_length), 8)
    answers = backend.generate([long, _requests()[0]])
    assert answers == other.generate([long, _requests()[0]])
    assert answers[0].finish_reason == "too_long"
    assert backend.loglikelihood([("word " * backend.context_length, "x")]) == [None]


@needs_vllm
def test_it_is_the_same_model_by_content_and_another_back_end(both: tuple[object, object]) -> None:
    theirs, ours = both
    assert theirs.identity() == ours.identity()
    assert theirs.name != ours.name
    assert theirs.render(Protocol(template="Q: {prompt}"), "x") == Prompt("Q: x")
    with pytest.raises(BackendError, match="no entropies"):
        theirs.answer_entropies([])
