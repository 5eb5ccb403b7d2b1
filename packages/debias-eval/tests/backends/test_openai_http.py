"""The openai back end against a real server on this machine: right answers, and every failure."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from debias_eval import BackendSettings, EvalSettings, GradeSettings, TaskSpec, evaluate
from debias_eval.backends.base import GenerationRequest, Prompt
from debias_eval.backends.http_client import RetryPolicy, seconds_of
from debias_eval.backends.openai_http import HttpOptions, OpenAIBackend
from debias_eval.backends.registry import open_backend
from debias_eval.backends.transformers_backend import TransformersBackend
from debias_eval.cli.app import app
from debias_eval.errors import BackendError, InputError, MissingError, UnknownNameError
from debias_eval.protocol import Protocol

FAST = GradeSettings(workers=1, resamples=200)
PATIENT = {"first_wait": 0.01, "attempts": 4, "timeout": 5.0}


def _completion(text: str, reason: str = "stop", tokens: int = 3) -> dict[str, object]:
    choice = {"index": 0, "text": text, "finish_reason": reason}
    return {"choices": [choice], "usage": {"completion_tokens": tokens}}


def _request(prompt: str = "hello", **options: object) -> GenerationRequest:
    return GenerationRequest("k#0", Prompt(prompt), 8, **options)


def _backend(server: object, **options: object) -> OpenAIBackend:
    return OpenAIBackend("tiny", HttpOptions(server.url, **{**PATIENT, **options}))


class ModelServer:
    """What a server with a real model in it says: one-by-one ``generate`` of transformers."""

    def __init__(self, folder: Path) -> None:
        loaded = TransformersBackend(folder, BackendSettings(device="cpu"))._loaded
        self.model, self.tokenizer, _ = loaded
        self.lock = threading.Lock()

    def __call__(self, path: str, payload: dict[str, object]) -> tuple[int, dict[str, str], object]:
        chat = path == "/v1/chat/completions"
        text = (
            self.tokenizer.apply_chat_template(
                payload["messages"], tokenize=False, add_generation_prompt=True
            )
            if chat
            else payload["prompt"]
        )
        ids = torch.tensor([self.tokenizer(text, add_special_tokens=not chat)["input_ids"]])
        with self.lock, torch.inference_mode():
            answer = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=payload["max_tokens"],
                do_sample=False,
            )[0, ids.shape[1] :].tolist()
        ended = answer[-1] == self.model.generation_config.eos_token_id
        # As servers do: the answer's text is what it adds to the prompt's.
        before = self.tokenizer.decode(ids[0], skip_special_tokens=True)
        whole = self.tokenizer.decode([*ids[0].tolist(), *answer], skip_special_tokens=True)
        body = whole[len(before) :]
        choice = {"finish_reason": "stop" if ended else "length"}
        choice |= {"message": {"content": body}} if chat else {"text": body}
        return 200, {}, {"choices": [choice], "usage": {"completion_tokens": len(answer)}}


def test_greedy_answers_are_those_of_the_transformers_back_end(
    server: object, stories: Path
) -> None:
    server.script = ModelServer(stories)
    prompts = ["Once upon a time", "Tom", "Lily wanted to", "The cat"]
    requests = [GenerationRequest(f"k{n}#0", Prompt(p), 24) for n, p in enumerate(prompts)]
    ours = TransformersBackend(stories, BackendSettings(device="cpu")).generate(requests)
    theirs = _backend(server).generate(requests)
    assert [(a.text, a.finish_reason, a.num_tokens) for a in theirs] == [
        (a.text, a.finish_reason, a.num_tokens) for a in ours
    ]
    assert {path for path, _ in server.requests} == {"/v1/completions"}


def test_the_chat_template_of_the_protocol_chooses_the_endpoint(
    server: object, tiny_qwen: Path
) -> None:
    server.script = ModelServer(tiny_qwen)
    protocol = Protocol(chat_template=True, system="Be brief.", template="Q: {prompt}")
    local = TransformersBackend(tiny_qwen, BackendSettings(device="cpu"))
    remote = _backend(server)
    answers = [
        backend.generate([GenerationRequest("k#0", backend.render(protocol, "Hello"), 12)])[0]
        for backend in (local, remote)
    ]
    assert answers[0].text == answers[1].text
    path, payload = server.requests[0]
    assert path == "/v1/chat/completions"
    assert payload["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Q: Hello"},
    ]


@pytest.mark.parametrize(
    "failure",
    [
        (429, {"retry-after": "0"}, {"error": {"message": "slow down"}}),
        (500, {}, "oops"),
        (503, {}, None),
        (408, {}, None),
        None,
    ],
    ids=["429", "500", "503", "408", "dropped"],
)
def test_a_failing_server_is_asked_again(server: object, failure: object) -> None:
    answers = [failure, failure, (200, {}, _completion("fine"))]
    server.script = lambda _path, _payload: answers[len(server.requests) - 1]
    assert _backend(server).generate([_request()])[0].text == "fine"
    assert len(server.requests) == 3


def test_a_slow_server_is_asked_again(server: object) -> None:
    def script(_path: str, _payload: object) -> object:
        if len(server.requests) == 1:
            time.sleep(0.6)
        return 200, {}, _completion("fine")

    server.script = script
    assert _backend(server, timeout=0.2).generate([_request()])[0].text == "fine"
    assert len(server.requests) == 2


def test_patience_ends(server: object) -> None:
    server.script = lambda _path, _payload: (500, {}, {"error": {"message": "broken card"}})
    with pytest.raises(BackendError, match=r"gave up after 4 tries: HTTP 500: broken card"):
        _backend(server).generate([_request()])
    assert len(server.requests) == 4
    server.script = lambda _path, _payload: (429, {"retry-after": "900"}, None)
    with pytest.raises(BackendError, match="900 s of patience"):
        _backend(server).generate([_request()])
    assert len(server.requests) == 5


def test_nobody_at_the_address() -> None:
    backend = OpenAIBackend("m", HttpOptions("http://127.0.0.1:9/v1", **PATIENT))
    with pytest.raises(BackendError, match="gave up after 4 tries: ConnectError"):
        backend.generate([_request()])


def test_what_is_wrong_is_not_asked_again(server: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret-123")
    server.script = lambda _path, _payload: (401, {}, {"error": {"message": "bad sk-secret-123"}})
    with pytest.raises(
        BackendError, match=r"HTTP 401: bad \*\*\*; the key in \$SOME_KEY is refused"
    ):
        _backend(server, api_key_env="SOME_KEY").generate([_request()])
    assert server.authorization == ["Bearer sk-secret-123"]
    server.script = lambda _path, _payload: (404, {}, {"detail": "Not Found"})
    with pytest.raises(BackendError, match="chat_template true in the protocol"):
        _backend(server).generate([_request()])
    server.script = lambda _path, _payload: (200, {}, {"choices": []})
    with pytest.raises(BackendError, match="not an answer of the API: choices"):
        _backend(server).generate([_request()])
    assert len(server.requests) == 3


def test_what_is_sent(server: object) -> None:
    server.script = lambda _path, _payload: (200, {}, _completion("a b STOP c", "length", 9))
    stops = ("w", "x", "y", "z", " STOP")
    answer = _backend(server).generate([_request(stop=stops)])[0]
    assert (answer.text, answer.finish_reason, answer.num_tokens) == ("a b", "stop", 9)
    _backend(server).generate([_request(temperature=0.5, top_p=0.9, seed=s) for s in (1, 1, 2)])
    greedy, *hot = [payload for _, payload in server.requests]
    assert greedy == {
        "model": "tiny",
        "prompt": "hello",
        "max_tokens": 8,
        "temperature": 0.0,
        "stop": list(stops[:4]),
    }
    assert {(payload["temperature"], payload["top_p"]) for payload in hot} == {(0.5, 0.9)}
    assert len({payload["seed"] for payload in hot}) == 2
    assert all(0 <= payload["seed"] < 2**31 for payload in hot)


def test_lengths_that_do_not_fit(server: object) -> None:
    def script(_path: str, payload: dict[str, object]) -> object:
        prompt = len(payload["prompt"])
        if prompt + payload["max_tokens"] > 100:
            words = f"maximum context length is 100 tokens and it has {prompt} input tokens"
            return 400, {}, {"error": {"message": words}}
        return 200, {}, _completion("x", "length", payload["max_tokens"])

    server.script = script
    answers = _backend(server).generate([_request("a" * 95), _request("a" * 100), _request("b")])
    assert [(a.finish_reason, a.num_tokens) for a in answers] == [
        ("length", 5),
        ("too_long", 0),
        ("length", 8),
    ]


def test_a_server_that_wants_the_newer_name_of_the_limit(server: object) -> None:
    def script(_path: str, payload: dict[str, object]) -> object:
        if "max_tokens" in payload:
            return 400, {}, {"error": {"message": "Use 'max_completion_tokens' instead."}}
        return 200, {}, {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}

    server.script = script
    answer = _backend(server).generate([_request()])[0]
    assert (answer.text, answer.finish_reason, answer.num_tokens) == ("", "length", 0)


def test_no_more_than_so_many_at_once_and_in_order(server: object) -> None:
    def script(_path: str, payload: dict[str, object]) -> object:
        time.sleep(0.02)
        return 200, {}, _completion(str(payload["prompt"]))

    server.script = script
    backend = _backend(server, concurrency=3)
    requests = [_request(str(n)) for n in range(14)]
    assert [len(batch) for batch in backend.batches(requests)] == [12, 2]
    assert [a.text for a in backend.generate(requests)] == [str(n) for n in range(14)]
    assert 2 <= server.most_at_once <= 3


def test_likelihoods_and_entropies_are_refused(server: object) -> None:
    with pytest.raises(BackendError, match=r"no log-likelihoods.*transformers or vllm"):
        _backend(server).loglikelihood([("a", "b")])
    with pytest.raises(BackendError, match="no entropies"):
        _backend(server).answer_entropies([])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, MissingError, "--base-url"),
        ({"base_url": "localhost:8000"}, InputError, "give http://"),
        ({"base_url": "http://me:pw@host/v1"}, InputError, "OPENAI_API_KEY"),
        ({"base_url": "http://h/v1", "concurency": 3}, UnknownNameError, "'concurrency'"),
        ({"base_url": "http://h/v1", "concurrency": "x"}, InputError, "option concurrency"),
        ({"base_url": "http://h/v1", "attempts": 0}, InputError, "1 or more"),
    ],
)
def test_options_are_checked(
    options: dict[str, object],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(error, match=message):
        open_backend("openai", "m", BackendSettings(options=options))


def test_the_other_back_ends_take_no_options(tiny_llama: Path) -> None:
    with pytest.raises(UnknownNameError, match="option of the transformers back end 'base_url'"):
        open_backend("transformers", tiny_llama, BackendSettings(options={"base_url": "x"}))


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of(None) is seconds_of("soon") is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < seconds_of(later) <= 90
    policy = RetryPolicy(5, 1.0, 8.0, 1.0)
    waits = [policy.wait(tries, None) for tries in (1, 2, 3, 9)]
    for wait, most in zip(waits, (1, 2, 4, 8), strict=True):
        assert 0.75 * most <= wait <= most


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"id": f"s{a}", "question": f"{a}+2?", "answer": str(a + 2)} for a in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _right(_path: str, payload: dict[str, object]) -> object:
    return 200, {}, _completion(str(int(str(payload["prompt"]).split("+")[0]) + 2))


def test_answers_are_kept_under_a_named_revision_only(
    server: object, sums: Path, tmp_path: Path
) -> None:
    server.script = _right

    def asked(**options: object) -> int:
        before = len(server.requests)
        settings = EvalSettings(
            BackendSettings(options={"base_url": server.url, **PATIENT, **options}), FAST
        )
        row = evaluate(
            "tiny",
            [TaskSpec("math_jsonl", data=sums)],
            backend="openai",
            out=tmp_path / "o",
            settings=settings,
        ).benchmarks["math_jsonl"]
        assert row.score == 1.0
        return len(server.requests) - before

    assert asked(revision="step-100") == 6
    assert asked(revision="step-100") == 0
    assert asked(revision="step-200") == 6
    assert asked() == 6  # nobody said what is served: nothing is taken from an earlier run
    assert asked() == 6


def test_an_interrupted_run_goes_on(server: object, sums: Path, tmp_path: Path) -> None:
    def run() -> None:
        options = {"base_url": server.url, "revision": "a", "concurrency": 1, "first_wait": 0.01}
        evaluate(
            "tiny",
            [TaskSpec("math_jsonl", data=sums)],
            backend="openai",
            out=tmp_path / "o",
            settings=EvalSettings(BackendSettings(options=options), FAST),
        )

    server.script = lambda path, payload: (
        _right(path, payload) if len(server.requests) <= 5 else (400, {}, {"error": "no"})
    )
    with pytest.raises(BackendError, match="HTTP 400: no"):
        run()
    server.script = _right
    before = len(server.requests)
    run()
    assert len(server.requests) - before == 2  # the first four answers were in the log


def test_the_command_and_no_key_in_any_file(
    server: object,
    sums: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server.script = _right
    command = ["run", "--backend", "openai", "--model", "tiny", "--base-url", server.url]
    command += ["--backend-option", "concurrency=2", "--tasks", "math_jsonl", "--data", str(sums)]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "o"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["model"]["path"] == f"{server.url}#tiny"
    assert set(server.authorization) == {"Bearer sk-very-secret"}
    written = [path.read_bytes() for path in (tmp_path / "o").rglob("*") if path.is_file()]
    assert len(written) > 4
    assert not any(b"sk-very-secret" in raw for raw in written)


def test_a_likelihood_task_says_which_back_end_to_take(
    server: object, tmp_path: Path, make_model: Callable[..., Path]
) -> None:
    data = tmp_path / "t.jsonl"
    data.write_text('{"text": "hello"}\n')
    command = ["run", "--backend", "openai", "--model", "tiny", "--base-url", server.url]
    done = CliRunner().invoke(
        app, [*command, "--tasks", "perplexity", "--data", str(data), "--out", str(tmp_path / "o")]
    )
    assert done.exit_code == 1
    assert "use the transformers or vllm back end" in done.output
