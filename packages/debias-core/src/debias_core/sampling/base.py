"""The contract between a run and what draws its answers; `debias_core.samplers` fulfils it.

An answer is a function of its prompt, its seed and the weights, never of the other prompts that
were asked for with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from debias_core.config import TrainConfig


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How answers are drawn.

    Attributes:
        max_new_tokens: length limit; an answer that meets it without EOS is truncated.
        temperature: of the sampled distribution.
        entropy_temperature: of the reported entropies.
    """

    max_new_tokens: int
    temperature: float = 1.0
    entropy_temperature: float = 1.0

    @classmethod
    def of_training(cls, config: TrainConfig) -> SamplingConfig:
        """Returns how a training run draws answers, in its steps and in its looks alike."""
        return cls(config.max_new_tokens, config.temperature, config.entropy_temperature)


Outcome = Literal["complete", "truncated", "empty"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A sampled answer.

    Attributes:
        tokens: up to and including EOS; at least one.
        entropy: mean entropy of the distributions the tokens were drawn from, in nats; None where
            the sampler does not see whole distributions, and the answer has to be scored.
        truncated: the length limit came before EOS.
    """

    tokens: tuple[int, ...]
    entropy: float | None
    truncated: bool

    @property
    def outcome(self) -> Outcome:
        """What became of it; `empty` is an answer of nothing but EOS."""
        if self.truncated:
            return "truncated"
        return "empty" if len(self.tokens) == 1 else "complete"


class Sampler(Protocol):
    """What draws answers from the model in training."""

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        """Returns one answer a prompt, in order; rows with the same seed draw alike."""
        ...

    def weights_changed(self) -> None:
        """Is told after every update, before the next answers are drawn."""
        ...
