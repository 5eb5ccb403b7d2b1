"""A function in place of a model: what an oracle of known bias scores on a suite.

A suite that is right gives an oracle the score that its definition says; so each suite's tests
are oracles, and anyone can write one to see what a score means::

    backend = ScorerBackend(lambda context, continuation: -len(continuation))
    evaluate("shortest", ["crows_pairs"], backend=backend, out="out", data_dir="data")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.protocol import Protocol

__all__ = ["ScorerBackend"]

Scorer: TypeAlias = Callable[[str, str], float | None]


class ScorerBackend:
    """Log-likelihoods from a function of context and continuation; a token is a word.

    Args:
        score: returns the log-likelihood in nats, or None for a text that is "too long".
        name: in place of the weights' hash: two functions need two names.
    """

    name = "scorer"
    variant = ""

    def __init__(self, score: Scorer, name: str = "scorer") -> None:
        self._score = score
        self._name = name

    def identity(self) -> ModelIdentity:
        """Return the name in place of hashes."""
        return ModelIdentity(self._name, self._name, "")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the text; a chat template is a line for each turn, ``role: content``."""
        if not protocol.chat_template:
            return Prompt(protocol.plain_text(text))
        turns = [f"{turn.role}: {turn.content}\n" for turn in protocol.messages(text)]
        return Prompt("".join([*turns, "assistant: "]), special_tokens=False)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        """Return what the function says of each pair."""
        found: list[Likelihood | None] = []
        for context, continuation in pairs:
            score = self._score(context, continuation)
            size = max(len(continuation.split()), 1)
            found.append(None if score is None else Likelihood(score, size))
        return found

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Refuse: a scorer writes nothing."""
        raise BackendError(f"{self._name}: a scorer generates nothing; {len(requests)} were asked")

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Refuse: a scorer writes nothing."""
        raise BackendError(f"{self._name}: a scorer generates nothing; {len(requests)} were asked")

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        """Refuse: a scorer has no distribution."""
        raise BackendError(f"{self._name}: a scorer has no entropies; {len(rows)} were asked")
