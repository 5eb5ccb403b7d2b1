"""What OpenAI's API is sent and what it answers: JSON to and from requests and generations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, ValidationError

from debias_eval.backends.base import FinishReason, Generation, GenerationRequest
from debias_eval.backends.tokenizing import earliest_cut
from debias_eval.errors import BackendError

if TYPE_CHECKING:
    from debias_eval.backends.http_client import HttpReply

__all__ = ["exceeds_context", "generation_of", "payload_of", "room_of"]

_MAX_STOPS = 4  # that the API takes; all of them are looked for in the text
_REASONS: dict[str, FinishReason] = {"length": "length", "content_filter": "filtered"}
_CONTEXT = re.compile(r"context length (?:is|of) (?:only )?(\d+)|context_length_exceeded")
_PROMPT = re.compile(r"(\d+) (?:input tokens|in the (?:messages|prompt))")


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def payload_of(model: str, request: GenerationRequest) -> dict[str, object]:
    """Return what is sent for a request: to chat completions where it has messages."""
    payload: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_new_tokens,
        "temperature": request.temperature,
    }
    if request.prompt.messages:
        payload["messages"] = [
            {"role": turn.role, "content": turn.content} for turn in request.prompt.messages
        ]
    else:
        payload["prompt"] = request.prompt.text
    if request.stop:
        payload["stop"] = list(request.stop[:_MAX_STOPS])
    if request.temperature > 0:
        payload |= {"top_p": request.top_p, "seed": request.stream_seed}
    return payload


def exceeds_context(message: str) -> bool:
    """Return whether a refusal says that prompt and answer do not fit into the context."""
    return _CONTEXT.search(message) is not None


def room_of(message: str) -> int | None:
    """Return how many tokens an answer may have, where a refusal names both lengths."""
    context, prompt = _CONTEXT.search(message), _PROMPT.search(message)
    if context is None or prompt is None or context[1] is None:
        return None
    return int(context[1]) - int(prompt[1])


def generation_of(reply: HttpReply, request: GenerationRequest, path: str) -> Generation:
    """Return the answer in a reply, cut at the request's stops.

    Raises:
        BackendError: It is not an answer of the API.
    """
    try:
        completion = _Completion.model_validate(reply.body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BackendError(f"{path}: not an answer of the API: {where}: {first['msg']}") from error
    choice = completion.choices[0]
    text = (choice.message.content if choice.message is not None else choice.text) or ""
    reason = _REASONS.get(choice.finish_reason or "", "stop")
    cut = earliest_cut(text, request.stop)
    if cut is not None:
        text, reason = text[:cut], "stop"
    tokens = None if completion.usage is None else completion.usage.completion_tokens
    return Generation(text, reason, (), tokens)
