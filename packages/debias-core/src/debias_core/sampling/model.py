"""Draws answers with the model in training itself, and keeps the entropies met on the way.

Every row has random numbers of its own, drawn from its seed, so an answer does not depend on which
other prompts were in the batch, on the number of processes, or on rows that ended earlier. That
leaves the batch free: rows that ended leave it, and with `refill` waiting prompts take their places
(continuous batching). `bench/core_sampling.py` says when that pays: where the batch is small and
answers are of very different lengths. Prompts of unlike length in one batch cost padding.

Shape suffixes: B rows in the batch, T columns of the cache, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from debias_core.errors import DataError
from debias_core.recovery.memory import explaining_memory, smaller_batch
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.cache import compact, merge, mergeable
from debias_core.scoring.entropy import entropy_of, token_entropy, token_log_probabilities

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

_REFILL_SHARE = 1 / 4  # of the places, empty: then waiting prompts are read, all in one pass
_COMPACT_SHARE = 1 / 3  # of the batch, ended: then it shrinks, where no place is refilled


@dataclass(frozen=True, slots=True)
class Places:
    """How many rows a batch has at most, and whether a place is given to another row."""

    number: int
    refill: bool = False


class ModelSampler:
    """Draws with the model itself: its KV cache, its entropies."""

    def __init__(
        self,
        model: PreTrainedModel,
        config: SamplingConfig,
        *,
        batch_size: int,
        refill: bool = False,
    ) -> None:
        """Takes the model.

        Args:
            model: that draws; dropout must be off.
            config: length limit and temperatures.
            batch_size: prompts that are answered at a time.
            refill: whether waiting prompts take the places of rows that ended, or the batch is
                answered to its end first.
        """
        self._model, self._config = model, config
        self._places = Places(batch_size, refill=refill)

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        """Returns one answer a prompt, in order; `batch_size` of them are drawn at a time."""
        if not prompts:
            return []
        with self._explaining_memory(prompts):
            return sample(self._model, prompts, self._config, seeds=seeds, places=self._places)

    def weights_changed(self) -> None:
        """Needs nothing: the model that draws is the one that was updated."""

    def _explaining_memory(
        self, prompts: Sequence[Sequence[int]]
    ) -> contextlib.AbstractContextManager[None]:
        longest, limit = max(map(len, prompts)), self._config.max_new_tokens
        return explaining_memory(
            f"answering {min(len(prompts), self._places.number)} prompts at once, of up to "
            f"{longest} tokens, with answers of up to {limit}",
            model=self._model,
            advice=smaller_batch(
                "generation_batch_size",
                self._places.number,
                otherwise=f"set max_new_tokens below {limit}, or dtype: bfloat16",
            ),
        )


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
    places: Places | None = None,
) -> list[Answer]:
    """Returns one answer a prompt, in order.

    Args:
        model: dropout must be off.
        prompts: token ids of each.
        config: length limit and temperatures.
        seeds: of each row; rows with the same seed draw the same random numbers.
        places: how many are answered at a time; None is all at once.
    """
    decoding = _Decoding(model, prompts, config, seeds)
    places = places or Places(len(prompts))
    while decoding.unfinished:
        decoding.make_room(places)
        decoding.step()
    return decoding.answers()


@dataclass(slots=True)
class _Batch:
    """The rows that are being answered.

    Attributes:
        rows: [B] which prompt each is of.
        running: [B] whether it goes on; a row that ended stays until room is made.
        tokens: [B] drawn last, not yet in the cache.
        mask: [B, T+1] 1 where a column of the cache, or the last token, belongs to the row.
        cache: of T columns.
    """

    rows: Tensor
    running: Tensor
    tokens: Tensor
    mask: Tensor
    cache: Cache

    def keep(self, indices: Tensor) -> None:
        """Leaves out all other rows, and columns that belong to none of those left."""
        self.rows, self.running = self.rows[indices], self.running[indices]
        self.tokens, self.mask = self.tokens[indices], self.mask[indices]
        self.mask = self.mask[:, compact(self.cache, indices, self.mask) :]

    def add(self, new: _Batch) -> None:
        """Takes in the rows of another batch."""
        self.mask = merge(self.cache, self.mask, new.cache, new.mask)
        self.rows = torch.cat([self.rows, new.rows])
        self.running = torch.cat([self.running, new.running])
        self.tokens = torch.cat([self.tokens, new.tokens])


def _positions(attention_mask: Tensor) -> Tensor:
    """Returns position ids that count real tokens from 0, whatever the padding."""
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)


class _Decoding:
    """Answers in the making.

    What is drawn is written into tensors of one line a prompt; one line more takes what rows that
    ended draw, so that nothing has to be looked up on the device.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        config: SamplingConfig,
        seeds: Sequence[Sequence[int]],
    ) -> None:
        self._model, self._config, self._prompts = model, config, prompts
        self._device = next(model.parameters()).device
        self._eos = torch.tensor(eos_ids(model), device=self._device)
        # neighbours of like length need little padding; taken from the end, the long ones first
        self._waiting = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        limit, lines = config.max_new_tokens, len(prompts) + 1
        uniforms = np.stack([np.random.default_rng(s).random(limit) for s in [*seeds, [0]]])
        self._uniforms = torch.from_numpy(uniforms).to(self._device)
        self._tokens = torch.zeros(lines, limit, dtype=torch.long, device=self._device)
        self._entropies = torch.zeros(lines, limit, device=self._device)
        self._counts = torch.zeros(lines, dtype=torch.long, device=self._device)
        self._lengths = torch.tensor([*map(len, prompts), 0], device=self._device)
        self._batch: _Batch | None = None
        self._num_running = 0

    @property
    def unfinished(self) -> bool:
        """Whether an answer is missing."""
        return bool(self._waiting) or self._num_running > 0

    def make_room(self, places: Places) -> None:
        """Takes rows that ended out of the batch and waiting prompts in, where that pays."""
        if self._num_running == 0:
            self._batch = None
        batch = self._batch
        size = 0 if batch is None else len(batch.rows)
        joined = batch is None or (places.refill and mergeable(batch.cache))
        refill, free = joined and bool(self._waiting), places.number - self._num_running
        if refill and free >= min(places.number * _REFILL_SHARE, len(self._waiting)):
            self._shrink(size)
            self._admit([self._waiting.pop() for _ in range(min(free, len(self._waiting)))])
        elif not refill and size - self._num_running > size * _COMPACT_SHARE:
            self._shrink(size)

    def _shrink(self, size: int) -> None:
        if self._batch is not None and self._num_running < size:
            self._batch.keep(self._batch.running.nonzero()[:, 0])

    def _admit(self, rows: Sequence[int]) -> None:
        """Reads prompts, draws the first token of each answer, and adds them to the batch."""
        width = max(len(self._prompts[row]) for row in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for b, row in enumerate(rows):
            prompt = self._prompts[row]
            ids[b, width - len(prompt) :] = torch.tensor(list(prompt))
            mask[b, width - len(prompt) :] = 1
        mask = mask.to(self._device)
        output = self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask,
            position_ids=_positions(mask),
            use_cache=True,
            logits_to_keep=1,
        )
        new = _Batch(
            rows=torch.tensor(list(rows), device=self._device),
            running=torch.ones(len(rows), dtype=torch.bool, device=self._device),
            tokens=torch.zeros(len(rows), dtype=torch.long, device=self._device),
            mask=mask,
            cache=output.past_key_values,
        )
        self._draw(new, output.logits[:, -1])
        if self._batch is None:
            self._batch = new
        else:
            self._batch.add(new)
        self._num_running = int(self._batch.running.sum())

    def step(self) -> None:
        """Draws one token more for every row of the batch."""
        batch = self._batch
        if batch is None or self._num_running == 0:
            return
        output = self._model(
            input_ids=batch.tokens[:, None],
            attention_mask=batch.mask,
            position_ids=(self._lengths[batch.rows] + self._counts[batch.rows] - 1)[:, None],
            past_key_values=batch.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._draw(batch, output.logits[:, -1])
        self._num_running = int(batch.running.sum())

    def _draw(self, batch: _Batch, logits: Tensor) -> None:
        """Inverts the distribution function, summed in float64: no token must be favoured."""
        logits_BV, temperature = logits.float(), self._config.temperature
        log_p_BV = token_log_probabilities(logits_BV, temperature=temperature)
        if self._config.entropy_temperature == temperature:
            entropies_B = entropy_of(log_p_BV)
        else:
            entropies_B = token_entropy(logits_BV, temperature=self._config.entropy_temperature)
        line_B = torch.where(batch.running, batch.rows, len(self._prompts))
        column_B = self._counts[line_B]
        u_B1 = self._uniforms[line_B, column_B, None]
        cumulative_BV = log_p_BV.exp_().cumsum(-1, dtype=torch.float64)
        index_B1 = torch.searchsorted(cumulative_BV, u_B1 * cumulative_BV[:, -1:], right=True)
        batch.tokens = index_B1[:, 0].clamp(max=logits_BV.shape[1] - 1)
        self._tokens[line_B, column_B] = batch.tokens
        self._entropies[line_B, column_B] = entropies_B
        self._counts[batch.rows] += batch.running
        full = self._counts[batch.rows] >= self._config.max_new_tokens
        batch.running = batch.running & ~torch.isin(batch.tokens, self._eos) & ~full
        batch.mask = torch.cat([batch.mask, torch.ones_like(batch.mask[:, :1])], dim=1)

    def answers(self) -> list[Answer]:
        """Returns what was drawn, in the order of the prompts."""
        ends = set(self._eos.tolist())
        found = []
        for tokens, entropies, count in zip(
            self._tokens.tolist(), self._entropies.tolist(), self._counts.tolist(), strict=True
        ):
            drawn = tuple(tokens[:count])
            if drawn:
                entropy = float(np.mean(entropies[:count]))
                found.append(Answer(drawn, entropy, truncated=drawn[-1] not in ends))
        return found
