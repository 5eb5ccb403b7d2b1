"""The ``openai`` back end: any server that speaks OpenAI's completions or chat completions.

Which of the two is asked is the protocol's to say, since it is the difference between a bare text
and a chat template: ``chat_template: false`` goes to ``/completions``, ``true`` to
``/chat/completions``, where the server applies the model's own template.

The API shows neither weights nor the likelihood of a given text. So answers are kept for a later
run only where the model is known by content: ``--model`` is the served folder itself, or the user
names a ``revision``. Otherwise each run asks anew, and no answer of other weights is ever reused.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    BackendSettings,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.backends.http_client import HttpReply, JsonClient, RetryPolicy
from debias_eval.backends.identity import model_identity
from debias_eval.backends.openai_wire import exceeds_context, generation_of, payload_of, room_of
from debias_eval.backends.options import read_options
from debias_eval.backends.registry import backends
from debias_eval.errors import BackendError, InputError, MissingError
from debias_eval.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.protocol import Protocol

__all__ = ["HttpOptions", "OpenAIBackend"]

_URL = "OPENAI_BASE_URL"
_BATCHES_AHEAD = 4
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Options of the ``openai`` back end.

    Attributes:
        base_url: Up to and with ``/v1``; None is ``$OPENAI_BASE_URL``.
        api_key_env: Environment variable that holds the key; the key itself is written nowhere.
        revision: What is served, in the user's words: answers are reused under the same one.
        concurrency: Requests at a time.
        attempts: Tries a request.
        first_wait: Seconds before the second try.
        longest_wait: Seconds between two tries at most.
        timeout: Seconds without a byte of an answer.
    """

    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    revision: str | None = None
    concurrency: int = 16
    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 120.0
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if min(self.concurrency, self.attempts) < 1:
            raise ValueError("concurrency and attempts are 1 or more")
        if min(self.first_wait, self.longest_wait) < 0 or self.timeout <= 0:
            raise ValueError("waits are 0 or more, and the timeout is above 0")


def _checked_url(options: HttpOptions) -> str:
    """Return the server's address.

    Raises:
        MissingError: None was given.
        InputError: It is no address, or carries a password that would end up in the results.
    """
    url = options.base_url or os.environ.get(_URL)
    if not url:
        raise MissingError(f"the openai back end needs --base-url http://HOST:PORT/v1, or {_URL}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("base_url: give http://HOST:PORT/v1 or https://HOST/v1")
    if parts.username or parts.password or parts.query:
        raise InputError(
            "base_url: has a user name, a password or a query in it, and addresses are written "
            f"into the results; put the key into ${options.api_key_env}"
        )
    return url.rstrip("/")


class OpenAIBackend:
    """A model behind an OpenAI-compatible server.

    Args:
        model: The name that the server knows it by.
        options: Address, key, patience.
    """

    name = "openai"

    def __init__(self, model: str, options: HttpOptions) -> None:
        self._model = model
        self._options = options
        self._url = _checked_url(options)

    @property
    def variant(self) -> str:
        """Return the server's address: another server is another engine."""
        return self._url

    @cached_property
    def _identity(self) -> ModelIdentity:
        path = f"{self._url}#{self._model}"
        if (Path(self._model) / "config.json").is_file():
            inside = model_identity(Path(self._model))
            return ModelIdentity(path, inside.weights_sha256, inside.tokenizer_sha256)
        # Without a revision nothing tells two checkpoints apart that are served under one name.
        served = self._options.revision or f"unknown {uuid.uuid4()}"
        content = canonical_json([self._url, self._model, served])
        return ModelIdentity(path, hashlib.sha256(content.encode()).hexdigest(), "")

    def identity(self) -> ModelIdentity:
        """Return a hash of the served folder or of the named revision; else one of this run."""
        return self._identity

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the bare text, or the conversation where the protocol wants a chat template."""
        if protocol.chat_template:
            return Prompt(
                protocol.fill(text), special_tokens=False, messages=tuple(protocol.messages(text))
            )
        return Prompt(protocol.plain_text(text))

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return chunks of the list: what is in the log after each survives a kill."""
        size = _BATCHES_AHEAD * self._options.concurrency
        places = range(len(requests))
        return [tuple(places[start : start + size]) for start in range(0, len(requests), size)]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return one answer a request, as many at a time as ``concurrency`` says.

        Raises:
            BackendError: The server refused a request, or kept failing.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._generate(requests))
        with ThreadPoolExecutor(1) as pool:  # inside a notebook's own loop
            return pool.submit(asyncio.run, self._generate(requests)).result()

    async def _generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        gate = asyncio.Semaphore(self._options.concurrency)
        options = self._options
        policy = RetryPolicy(
            options.attempts, options.first_wait, options.longest_wait, options.timeout
        )
        key = os.environ.get(options.api_key_env) or None

        async def one(client: JsonClient, request: GenerationRequest) -> Generation:
            async with gate:
                return await self._answer(client, request)

        try:
            async with JsonClient(self._url, key, policy) as client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(client, request)) for request in requests]
        except ExceptionGroup as several:  # the first failure cancels the rest
            raise several.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _answer(self, client: JsonClient, request: GenerationRequest) -> Generation:
        path = "/chat/completions" if request.prompt.messages else "/completions"
        payload = payload_of(self._model, request)
        reply = await client.post(path, payload)
        if reply.status == HTTPStatus.BAD_REQUEST and "max_completion_tokens" in reply.message:
            payload["max_completion_tokens"] = payload.pop("max_tokens")
            reply = await client.post(path, payload)
        if reply.status == HTTPStatus.BAD_REQUEST and exceeds_context(reply.message):
            room = room_of(reply.message)
            if room is None or room < 1 or room >= request.max_new_tokens:
                return Generation("", "too_long", (), 0)
            name = "max_tokens" if "max_tokens" in payload else "max_completion_tokens"
            reply = await client.post(path, payload | {name: room})
        if reply.status != HTTPStatus.OK:
            raise self._refusal(path, reply)
        return generation_of(reply, request, path)

    def _refusal(self, path: str, reply: HttpReply) -> BackendError:
        hint = ""
        name = self._options.api_key_env
        if reply.status in _REFUSED:
            state = "refused" if os.environ.get(name) else "not set"
            hint = f"; the key in ${name} is {state}"
        elif reply.status == HTTPStatus.NOT_FOUND:
            other = "true" if path == "/completions" else "false"
            hint = (
                f"; either the server has no model {self._model!r}, or no {path}: "
                f"chat_template {other} in the protocol uses the other one"
            )
        return BackendError(f"{self._url}{path}: HTTP {reply.status}: {reply.message}{hint}")

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:  # noqa: ARG002
        """Refuse: the API scores what it generates, never a text that is given."""
        raise BackendError(
            "the openai back end has no log-likelihoods: the API returns no probabilities of a "
            "given text; use the transformers or vllm back end for this task"
        )

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:  # noqa: ARG002
        """Refuse: entropies need the whole distribution."""
        raise BackendError(
            "the openai back end has no entropies: the API returns a few probabilities a token, "
            "not the distribution; use the transformers back end for this task"
        )


@backends.register("openai")
def open_openai(model: str, settings: BackendSettings) -> OpenAIBackend:
    """Return a back end for the model that a server knows as ``model``."""
    return OpenAIBackend(model, read_options(HttpOptions, settings, backend="openai"))
