"""Samples answers with the KV cache, and keeps the entropies that it computes on the way.

Every row has random numbers of its own, drawn from (seed, row), so an answer does not depend on
which other prompts were in the batch, on the number of processes, or on rows that ended earlier.
Ended rows leave the batch once they are a third of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from debias_core.entropy import token_entropy
from debias_core.errors import DataError
from debias_core.scoring import positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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


class ModelSampler:
    """Draws with the model itself: its KV cache, its entropies."""

    def __init__(self, model: PreTrainedModel, config: SamplingConfig, *, batch_size: int) -> None:
        self._model, self._config, self._batch_size = model, config, batch_size

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        """Returns one answer a prompt, in order; prompts of like length share a batch."""
        answers: list[Answer | None] = [None] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        for start in range(0, len(order), self._batch_size):
            chunk = order[start : start + self._batch_size]
            drawn = sample(
                self._model,
                [prompts[row] for row in chunk],
                self._config,
                seeds=[seeds[row] for row in chunk],
            )
            for row, answer in zip(chunk, drawn, strict=True):
                answers[row] = answer
        return [answer for answer in answers if answer is not None]

    def weights_changed(self) -> None:
        """Needs nothing: the model that draws is the one that was updated."""


def eos_ids(model: PreTrainedModel) -> tuple[int, ...]:
    """Returns the token ids that end an answer, from the model's generation config.

    Raises:
        DataError: the model names none; every answer would run to the length limit.
    """
    for config in (model.generation_config, model.config):
        value = getattr(config, "eos_token_id", None)
        if value is not None:
            return tuple(value) if isinstance(value, list | tuple) else (int(value),)
    raise DataError("the model's generation config names no eos_token_id")


@torch.inference_mode()
def sample(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    config: SamplingConfig,
    *,
    seeds: Sequence[Sequence[int]],
) -> list[Answer]:
    """Returns one answer a prompt, in order.

    Args:
        model: dropout must be off.
        prompts: token ids of each.
        config: length limit and temperatures.
        seeds: of each row; rows with the same seed draw the same random numbers.
    """
    uniforms = np.stack([np.random.default_rng(s).random(config.max_new_tokens) for s in seeds])
    state = _Decoding(model, prompts, torch.from_numpy(uniforms), config)
    for _ in range(config.max_new_tokens):
        if not state.active:
            break
        state.step()
    return state.answers()


class _Decoding:
    """A batch in the making: the rows still running, their cache, what every row has so far."""

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        uniforms: Tensor,
        config: SamplingConfig,
    ) -> None:
        self._model, self._config = model, config
        self._device = next(model.parameters()).device
        self._eos = torch.tensor(eos_ids(model), device=self._device)
        self._uniforms = uniforms.to(self._device)
        width = max(len(prompt) for prompt in prompts)
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for b, prompt in enumerate(prompts):
            ids[b, width - len(prompt) :] = torch.tensor(list(prompt))
            mask[b, width - len(prompt) :] = 1
        self._input, self._mask = ids.to(self._device), mask.to(self._device)
        self._positions = positions(self._mask)
        self._cache: object = None
        self._rows = torch.arange(len(prompts), device=self._device)  # still in the batch
        self._running = torch.ones(len(prompts), dtype=torch.bool, device=self._device)
        self._tokens: list[list[int]] = [[] for _ in prompts]
        self._entropies: list[list[float]] = [[] for _ in prompts]
        self._ended = [False] * len(prompts)

    @property
    def active(self) -> bool:
        return bool(self._running.any())

    def step(self) -> None:
        output = self._model(
            input_ids=self._input,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = output.past_key_values
        logits_BV = output.logits[:, -1].float()
        entropies = token_entropy(logits_BV, temperature=self._config.entropy_temperature)
        tokens = self._draw(logits_BV)
        self._record(tokens, entropies)
        self._input = tokens[:, None]
        self._mask = torch.cat([self._mask, torch.ones_like(self._input)], dim=1)
        self._positions = self._positions[:, -1:] + 1
        self._compact()

    def _draw(self, logits_BV: Tensor) -> Tensor:
        """Inverts the distribution function, in float64: rounding must not favour late tokens."""
        p_BV = torch.softmax(logits_BV.double() / self._config.temperature, dim=-1)
        step = len(self._tokens[int(self._rows[self._running][0])])
        u_B1 = self._uniforms[self._rows, step, None]
        cumulative_BV = p_BV.cumsum(-1)
        index = torch.searchsorted(cumulative_BV, u_B1 * cumulative_BV[:, -1:], right=True)
        return index[:, 0].clamp(max=p_BV.shape[1] - 1)

    def _record(self, tokens: Tensor, entropies: Tensor) -> None:
        ended = torch.isin(tokens, self._eos)
        columns = zip(
            self._rows.tolist(),
            self._running.tolist(),
            tokens.tolist(),
            entropies.tolist(),
            ended.tolist(),
            strict=True,
        )
        for row, running, token, entropy, end in columns:
            if running:
                self._tokens[row].append(token)
                self._entropies[row].append(entropy)
                self._ended[row] = end
        self._running &= ~ended

    def _compact(self) -> None:
        if not self.active or self._running.float().mean() > 2 / 3:
            return
        keep = self._running.nonzero()[:, 0]
        self._cache.batch_select_indices(keep)  # type: ignore[attr-defined]
        self._input, self._mask = self._input[keep], self._mask[keep]
        self._positions, self._rows = self._positions[keep], self._rows[keep]
        self._running = self._running[keep]

    def answers(self) -> list[Answer]:
        return [
            Answer(tuple(tokens), float(np.mean(entropies)), truncated=not ended)
            for tokens, entropies, ended in zip(
                self._tokens, self._entropies, self._ended, strict=True
            )
        ]
