"""Answers to one prompt, scored after one reading of it: the prompt's key-value cache is shared.

A multiple-choice question is read once for all of its answers, not once for each. The scores are
those of ``scoring.score_answers`` but for rounding; models without a cache of plain attention
layers (recurrent ones, chunked attention) do not come here.

Shapes: P prompts, L tokens of the longest, R answers in all, A tokens of the longest, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from debias_eval.backends.scoring import (
    TokenScores,
    accepts,
    pad_left,
    position_ids,
    token_scores,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

__all__ = ["SharedPrompt", "can_share_prompts", "score_after_prompts", "worth_sharing"]


class SharedPrompt(NamedTuple):
    """A prompt's tokens, and the tokens of each answer to it (none of them empty)."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]


def can_share_prompts(model: PreTrainedModel) -> bool:
    """Return whether the model keeps its past as keys and values alone, one entry a token."""
    if getattr(model, "_is_stateful", False) or not accepts(model, "past_key_values"):
        return False
    layers = DynamicCache(config=model.config).layers
    # An empty list stands for plain layers that are made as they are needed.
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def worth_sharing(shared: SharedPrompt) -> bool:
    """Return whether more tokens of prompt are saved than there are tokens of answers."""
    saved = (len(shared.answers) - 1) * len(shared.prompt)
    return saved > sum(len(answer) for answer in shared.answers)


@torch.inference_mode()
def score_after_prompts(
    model: PreTrainedModel, shared: Sequence[SharedPrompt], pad_id: int
) -> list[list[TokenScores]]:
    """Return one ``TokenScores`` of [len(answer)] an answer, by prompt, on the CPU.

    Prompts are padded on the left, answers on the right: what follows a token changes nothing.
    """
    device = model.device
    answers = [answer for entry in shared for answer in entry.answers]
    owners = [place for place, entry in enumerate(shared) for _ in entry.answers]
    owner_R = torch.tensor(owners, device=device)
    prompts = pad_left([entry.prompt for entry in shared], pad_id, device)
    cache = DynamicCache(config=model.config)
    logits_P1V = _forward(model, prompts.ids, prompts.mask, cache, keep=1)
    logits_RAV = logits_P1V[owner_R]
    targets_RA, mask_RA = _pad_right(answers, pad_id, device)
    if targets_RA.shape[1] > 1:  # the last token of an answer is never fed
        cache.batch_select_indices(owner_R)
        mask = torch.cat([prompts.mask[owner_R], mask_RA[:, :-1]], dim=1)
        later = _forward(model, targets_RA[:, :-1], mask, cache, keep=targets_RA.shape[1] - 1)
        logits_RAV = torch.cat([logits_RAV, later], dim=1)
    scores = token_scores(logits_RAV, targets_RA)
    entropy, logprob = scores.entropy.cpu(), scores.logprob.cpu()
    found: list[list[TokenScores]] = [[] for _ in shared]
    for row, (owner, answer) in enumerate(zip(owners, answers, strict=True)):
        size = len(answer)
        found[owner].append(TokenScores(entropy[row, :size], logprob[row, :size]))
    return found


def _forward(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache, *, keep: int
) -> torch.Tensor:
    """Return the logits of the last ``keep`` columns; the cache grows by all of ``ids``."""
    options: dict[str, object] = {}
    if accepts(model, "position_ids"):
        options["position_ids"] = position_ids(mask)[:, -ids.shape[1] :]
    if accepts(model, "logits_to_keep"):
        options["logits_to_keep"] = keep
    out = model(
        input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options
    )
    logits: torch.Tensor = out.logits[:, -keep:]
    return logits


def _pad_right(
    rows: Sequence[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, both [R, A], padding on the right."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids.to(device), mask.to(device)
