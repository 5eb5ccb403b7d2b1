"""Scores sampled answers: entropy and KL of every answer token, averaged per answer.

Layout of a batch: prompts are padded on the left, answers on the right, so that all answers begin
in one column and only the columns that predict answer tokens go through the output layer. Position
ids count real tokens only, as they do in sampling; a row's entropies are the same in any batch.

Shape suffixes: B rows, P prompt columns, A answer columns, V vocabulary, N scored tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from debias_core.entropy import mean_per_sample, token_entropy, token_kl
from debias_core.errors import DataError
from debias_core.gradient import Terms


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One answer under one prompt.

    Attributes:
        prompt: token ids of the prompt; at least one.
        answer: token ids of the answer up to and including EOS; at least one.
    """

    prompt: Sequence[int]
    answer: Sequence[int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as tensors: ids, mask and positions [B, P+A-1], answer ids and mask [B, A]."""

    input_ids: Tensor
    attention_mask: Tensor
    position_ids: Tensor
    answer_ids: Tensor
    answer_mask: Tensor


def positions(attention_mask: Tensor) -> Tensor:
    """Returns position ids that count real tokens from 0, whatever the padding."""
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)


def collate(rows: Sequence[ScoredRow], *, device: torch.device | str = "cpu") -> Batch:
    """Returns the rows as one padded batch.

    The padding token is arbitrary (0): masks are built from lengths, never from token ids, so a pad
    token that equals EOS hides nothing.
    """
    if not rows:
        raise DataError("there is no row to score")
    for row in rows:
        if not row.prompt or not row.answer:
            raise DataError("a scored row needs at least one prompt and one answer token")
    width_P = max(len(row.prompt) for row in rows)
    width_A = max(len(row.answer) for row in rows)
    ids = torch.zeros(len(rows), width_P + width_A, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for b, row in enumerate(rows):
        start, end = width_P - len(row.prompt), width_P + len(row.answer)
        ids[b, start:end] = torch.tensor([*row.prompt, *row.answer])
        mask[b, start:end] = 1
    attention = mask[:, :-1]  # the last answer token predicts nothing that is scored
    return Batch(
        input_ids=ids[:, :-1].to(device),
        attention_mask=attention.to(device),
        position_ids=positions(attention).to(device),
        answer_ids=ids[:, width_P:].to(device),
        answer_mask=mask[:, width_P:].bool().to(device),
    )


def answer_logits(model: nn.Module, batch: Batch) -> Tensor:
    """Returns the logits that predict the answer tokens, [N, V], rows one after the other."""
    width_A = batch.answer_ids.shape[1]
    output = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        use_cache=False,
        logits_to_keep=width_A,
    )
    logits_BAV: Tensor = output.logits[:, -width_A:]
    return logits_BAV[batch.answer_mask]


def score(
    model: nn.Module,
    rows: Sequence[ScoredRow],
    *,
    reference: nn.Module | None = None,
    temperature: float = 1.0,
) -> Terms:
    """Returns the mean entropy of every row's answer, and its KL to the reference if one is given.

    Args:
        model: a causal LM of transformers; dropout must be off.
        rows: [B].
        reference: the model that KL is measured against; no gradient goes through it.
        temperature: of the entropy. KL is always that of the untempered distributions.
    """
    device = next(model.parameters()).device
    batch = collate(rows, device=device)
    logits_NV = answer_logits(model, batch)
    sample_N = batch.answer_mask.nonzero()[:, 0]
    entropy = mean_per_sample(
        token_entropy(logits_NV, temperature=temperature), sample_N, len(rows)
    )
    if reference is None:
        return Terms(entropy)
    with torch.no_grad():
        reference_NV = answer_logits(reference, batch)
        reference_entropy = mean_per_sample(
            token_entropy(reference_NV, temperature=temperature), sample_N, len(rows)
        )
    kl = mean_per_sample(token_kl(logits_NV, reference_NV), sample_N, len(rows))
    return Terms(entropy, kl, reference_entropy)
