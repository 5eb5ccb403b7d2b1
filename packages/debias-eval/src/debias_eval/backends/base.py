"""What every back end offers, and the plain values that go in and out.

A back end that cannot do one of the three (a recorded one has no likelihoods) raises
``BackendError`` and says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.protocol import Message
    from debias_eval.protocol import Protocol as EvalProtocol

__all__ = [
    "AnswerRow",
    "AnswerScores",
    "Backend",
    "BackendSettings",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "Likelihood",
    "ModelIdentity",
    "Prompt",
]

FinishReason: TypeAlias = Literal["stop", "length", "too_long", "filtered"]
"""``stop``: EOS or a stop string; ``length``: the token limit or the model's context ran out;
``too_long``: the prompt alone leaves no room, nothing was generated; ``filtered``: a server's
content filter ended it."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model, by content: a checkpoint overwritten in place is another model."""

    path: str
    weights_sha256: str
    tokenizer_sha256: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Text as the tokenizer gets it.

    Attributes:
        text: The whole prompt.
        special_tokens: Whether the tokenizer adds its own (a chat template has them in its text).
        messages: The conversation, where a server applies the chat template; ``text`` is then the
            last turn alone.
    """

    text: str
    special_tokens: bool = True
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One answer to draw.

    Attributes:
        key: Names the request; with ``seed`` it decides the random stream, so an answer does not
            depend on what else is in its batch.
        prompt: What is continued.
        max_new_tokens: Longest answer.
        stop: Strings that end the answer.
        temperature: 0 is greedy.
        top_p: Mass of the nucleus.
        seed: Of the whole run.
    """

    key: str
    prompt: Prompt
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    @property
    def stream_seed(self) -> int:
        """Return 31 bits made of seed and key, for engines that draw with a seed of their own."""
        digest = hashlib.sha256(f"{self.seed}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:4]) >> 1


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer.

    Attributes:
        text: Decoded, special tokens dropped, cut before the stop string.
        finish_reason: Why it ended.
        token_ids: The answer tokens, EOS included where it was drawn; empty where a back end does
            not give them away.
        reported_tokens: How many there were, by such a back end's own count.
    """

    text: str
    finish_reason: FinishReason
    token_ids: tuple[int, ...]
    reported_tokens: int | None = None

    @property
    def num_tokens(self) -> int:
        """Return how many tokens the answer has."""
        return len(self.token_ids) if self.reported_tokens is None else self.reported_tokens


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log-probability of a continuation, in nats, summed over its tokens."""

    logprob: float
    num_tokens: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer to score under a prompt: the tokens as they were generated, EOS included."""

    prompt: Prompt
    answer_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """Per answer token, in nats, float32: entropy of the prediction, log-probability of the token.

    Entry t belongs to the logits at the position before answer token t.
    """

    entropies: tuple[float, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """How a model is run; none of it should change a score.

    Attributes:
        device: ``auto`` takes the first accelerator, else the CPU.
        dtype: ``auto`` is float32 on the CPU and the checkpoint's own type elsewhere.
        batch_size: Rows at a time; None is set from the model's size.
        completions: The file that the ``recorded`` back end reads.
        options: What one back end alone knows, such as ``base_url`` of ``openai``; unknown names
            are refused.
    """

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    completions: str | None = None
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)


class Backend(Protocol):
    """A model that can be asked."""

    name: str

    @property
    def variant(self) -> str:
        """Return what else changes answers beside the model's files (the dtype)."""
        ...

    def identity(self) -> ModelIdentity:
        """Return which model this is, by content."""
        ...

    def render(self, protocol: EvalProtocol, text: str) -> Prompt:
        """Return the prompt that ``protocol`` makes of an item's text.

        Raises:
            ModelError: The protocol asks for a chat template and the tokenizer has none.
        """
        ...

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return the batches that ``requests`` are run in, as indices.

        A function of the whole list alone: a run that was interrupted repeats the same batches.
        """
        ...

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return one answer a request, in order."""
        ...

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        """Return the log-likelihood of every continuation given its context.

        None stands for a pair that is longer than the model's context. An empty context is the
        start of a text.
        """
        ...

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        """Return entropies and log-probabilities of answers; None where a row is too long."""
        ...
