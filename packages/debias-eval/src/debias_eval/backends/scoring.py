"""Entropies and log-probabilities of tokens that are given.

Rows are padded on the left, with the position ids and the mask that sampling uses, so the scored
tokens stand at the right edge and only their logits are made.

Shapes: B rows, L tokens a row (padded), A longest answer, V vocabulary.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transformers import PreTrainedModel

__all__ = ["PaddedRows", "TokenScores", "pad_left", "position_ids", "score_answers", "token_scores"]


class PaddedRows(NamedTuple):
    """Token ids and mask (1 = a real token), both [B, L], padding on the left."""

    ids: torch.Tensor
    mask: torch.Tensor


class TokenScores(NamedTuple):
    """Entropy and log-probability, nats, float32."""

    entropy: torch.Tensor
    logprob: torch.Tensor


def pad_left(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> PaddedRows:
    """Return rows of unequal length as one tensor; the value of ``pad_id`` is never looked at."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return PaddedRows(ids.to(device), mask.to(device))


def position_ids(mask: torch.Tensor) -> torch.Tensor:
    """Return positions counted from each row's first real token, [B, L]."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def accepts(model: PreTrainedModel, name: str) -> bool:
    """Return whether the model's ``forward`` takes the argument ``name``."""
    return name in _parameters(type(model).forward)


@functools.cache
def _parameters(function: Callable[..., object]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def token_scores(logits: torch.Tensor, targets: torch.Tensor) -> TokenScores:
    """Return entropy of the prediction and log-probability of the target, [...] each.

    ``H = logsumexp(z) - Σ softmax(z)·z`` in float32 whatever the dtype of ``logits`` [..., V].
    The logits are centred first: H is a difference of two numbers as large as they are.
    """
    centred = logits.float()
    centred = centred - centred.amax(-1, keepdim=True)
    lse = centred.logsumexp(-1)
    # A masked logit is -inf: its probability is 0 and so is its term, not NaN.
    terms = centred.sub(lse.unsqueeze(-1)).exp() * centred.masked_fill(centred.isinf(), 0.0)
    logprob = centred.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - lse
    return TokenScores((lse - terms.sum(-1)).clamp(min=0.0), logprob)


@contextlib.contextmanager
def float32_head(model: PreTrainedModel) -> Iterator[None]:
    """Make the logits in float32 while inside: a gap of 0.01 nats cannot be read off bfloat16."""
    head: object = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        yield
        return
    weight32 = head.weight.detach().float()
    bias32 = None if head.bias is None else head.bias.detach().float()

    def again(
        _module: object, inputs: tuple[torch.Tensor, ...], _out: torch.Tensor
    ) -> torch.Tensor:
        return F.linear(inputs[0].float(), weight32, bias32)

    handle = head.register_forward_hook(again)
    try:
        yield
    finally:
        handle.remove()


@torch.inference_mode()
def score_answers(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    pad_id: int,
) -> list[TokenScores]:
    """Return one ``TokenScores`` of [len(answer)] a row, on the CPU.

    An answer token is known by its place, never by its value: a pad token that equals EOS hides
    nothing.
    """
    device = model.device
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    longest = max(len(answer) for answer in answers)
    padded = pad_left(rows, pad_id, device)
    options: dict[str, object] = {}
    if accepts(model, "position_ids"):
        options["position_ids"] = position_ids(padded.mask)
    if accepts(model, "logits_to_keep"):
        options["logits_to_keep"] = longest + 1
    out = model(input_ids=padded.ids, attention_mask=padded.mask, use_cache=False, **options)
    # Shift by one: the last logit predicts what comes after the answer.
    logits = out.logits[:, -(longest + 1) : -1]
    targets = padded.ids[:, -logits.shape[1] :]
    scores = token_scores(logits, targets)
    entropy, logprob = scores.entropy.cpu(), scores.logprob.cpu()
    return [
        TokenScores(entropy[row, -len(answer) :], logprob[row, -len(answer) :])
        for row, answer in enumerate(answers)
    ]
