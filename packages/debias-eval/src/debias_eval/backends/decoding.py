"""Drawing answers: one batched decode loop with a KV cache.

A row that is finished leaves the batch (its cache too), so a long answer does not make the others
pay. Greedy text equals one-by-one ``generate`` without logits processors: the raw distribution is
what the protocol names, so repetition penalties of ``generation_config`` are not applied; its stop
ids are.

Shapes: B rows still running, L tokens of the padded prompts, V vocabulary.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache

from debias_eval.backends.scoring import accepts, pad_left, position_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedModel

__all__ = ["DecodeRow", "Decoded", "decode", "row_uniforms"]

_STOP_EVERY = 4  # steps between two looks for stop strings: decoding text costs more than a step


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """One answer to draw: prompt tokens, limits, and its own random stream."""

    key: str
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...] = ()


class Decoded(NamedTuple):
    """The tokens of an answer, and whether EOS or a stop string ended it."""

    token_ids: list[int]
    stopped: bool


def row_uniforms(row: DecodeRow) -> np.ndarray:
    """Return the uniform numbers that a row draws with, one a token: a function of seed and key."""
    digest = hashlib.sha256(f"{row.seed}\0{row.key}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16])))
    return generator.random(row.max_new_tokens)


@dataclass(slots=True)
class _State:
    """What changes from step to step; tensors hold the rows that still run."""

    running: list[int]
    mask: torch.Tensor
    tokens: torch.Tensor
    cache: DynamicCache
    answers: list[list[int]] = field(default_factory=list)
    stopped: list[bool] = field(default_factory=list)


def _choose(logits: torch.Tensor, rows: Sequence[DecodeRow], draws: torch.Tensor) -> torch.Tensor:
    """Return one token a row: argmax at temperature 0, else the inverse of the cumulated mass."""
    greedy = logits.argmax(-1)
    hot = [index for index, row in enumerate(rows) if row.temperature > 0]
    if not hot:
        return greedy
    temperature = torch.tensor([rows[i].temperature for i in hot], device=logits.device)
    top_p = torch.tensor([rows[i].top_p for i in hot], device=logits.device, dtype=torch.float64)
    probs = (logits[hot].float() / temperature.unsqueeze(-1)).softmax(-1).double()
    if bool((top_p < 1).any()):
        probs = _nucleus(probs, top_p)
    mass = probs.cumsum(-1)
    point = draws[hot].unsqueeze(-1) * mass[:, -1:]
    # right=True: the first token whose cumulated mass is *above* the point, so one of mass 0 never.
    picked = torch.searchsorted(mass, point, right=True).squeeze(-1).clamp(max=probs.shape[-1] - 1)
    greedy[hot] = picked
    return greedy


def _nucleus(probs: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Return ``probs`` with all but the smallest set of mass ``top_p`` set to 0."""
    ordered, order = probs.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p.unsqueeze(-1), 0.0)
    return torch.zeros_like(probs).scatter(-1, order, kept)


def _forward(model: PreTrainedModel, state: _State, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits after the last token of ``ids``, [B, V], float32; the cache grows."""
    options: dict[str, object] = {}
    if accepts(model, "position_ids"):
        options["position_ids"] = position_ids(state.mask)[:, -ids.shape[1] :]
    if accepts(model, "logits_to_keep"):
        options["logits_to_keep"] = 1
    out = model(
        input_ids=ids,
        attention_mask=state.mask,
        past_key_values=state.cache,
        use_cache=True,
        **options,
    )
    logits: torch.Tensor = out.logits[:, -1].float()
    return logits


def _record(
    state: _State,
    rows: Sequence[DecodeRow],
    stop_ids: frozenset[int],
    text_of: Callable[[list[int]], str],
) -> list[int]:
    """File the step's tokens; return the places (in the batch) of the rows that go on."""
    going = []
    for place, (index, token) in enumerate(zip(state.running, state.tokens.tolist(), strict=True)):
        answer, row = state.answers[index], rows[index]
        answer.append(token)
        full = len(answer) >= row.max_new_tokens
        if token in stop_ids:
            state.stopped[index] = True
        elif row.stop and (full or len(answer) % _STOP_EVERY == 0):
            # One token is one byte at least, so the tail holds any stop string that is new.
            reach = _STOP_EVERY + max(len(stop.encode()) for stop in row.stop) + 8
            text = text_of(answer[-reach:])
            state.stopped[index] = any(stop in text for stop in row.stop)
        if not (full or state.stopped[index]):
            going.append(place)
    return going


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    rows: Sequence[DecodeRow],
    stop_ids: frozenset[int],
    text_of: Callable[[list[int]], str],
) -> list[Decoded]:
    """Return one answer a row, in order.

    Args:
        model: A causal language model in evaluation mode.
        rows: What to draw; prompts must not be empty.
        stop_ids: Token ids that end an answer; the token itself belongs to the answer.
        text_of: Decodes tokens, for stop strings.
    """
    device = model.device
    padded = pad_left([row.prompt_ids for row in rows], 0, device)
    longest = max(row.max_new_tokens for row in rows)
    draws = torch.zeros(longest, len(rows), dtype=torch.float64)
    for index, row in enumerate(rows):
        if row.temperature > 0:
            draws[: row.max_new_tokens, index] = torch.from_numpy(row_uniforms(row))
    draws = draws.to(device)
    state = _State(
        running=list(range(len(rows))),
        mask=padded.mask,
        tokens=padded.ids[:, -1],
        cache=DynamicCache(config=model.config),
        answers=[[] for _ in rows],
        stopped=[False] * len(rows),
    )
    ids = padded.ids
    for step in range(longest):
        logits = _forward(model, state, ids)
        active = [rows[index] for index in state.running]
        state.tokens = _choose(logits, active, draws[step, state.running])
        going = _record(state, rows, stop_ids, text_of)
        if not going:
            break
        if len(going) < len(state.running):
            keep = torch.tensor(going, device=device)
            state.cache.batch_select_indices(keep)
            state.mask, state.tokens = state.mask[keep], state.tokens[keep]
            state.running = [state.running[place] for place in going]
        state.mask = torch.cat([state.mask, state.mask.new_ones(len(going), 1)], dim=1)
        ids = state.tokens.unsqueeze(-1)
    return [Decoded(*pair) for pair in zip(state.answers, state.stopped, strict=True)]
