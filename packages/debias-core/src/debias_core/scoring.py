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

from debias_core.entropy import mean_per_sample, token_entropy, token_kl, token_logprob
from debias_core.errors import DataError
from debias_core.reference import Reference
from debias_core.terms import Terms


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which terms are asked for beside the entropy.

    Attributes:
        logprob: of every answer.
        divergence: between the sides; the rows of one answer stand together, one a side.
        num_sides: of a pair.
    """

    logprob: bool = False
    divergence: bool = False
    num_sides: int = 2


def score(
    model: nn.Module,
    rows: Sequence[ScoredRow],
    *,
    reference: Reference | None = None,
    temperature: float = 1.0,
    wanted: Wanted = Wanted(),
) -> Terms:
    """Returns the mean entropy of every row's answer, and the other terms that are asked for.

    Args:
        model: a causal LM of transformers; dropout must be off.
        rows: [B].
        reference: the model that KL is measured against; no gradient goes through it.
        temperature: of the entropy. All else is of the untempered distributions.
        wanted: further terms.
    """
    device = next(model.parameters()).device
    batch = collate(rows, device=device)
    logits_NV = answer_logits(model, batch)
    sample_N = batch.answer_mask.nonzero()[:, 0]

    def mean(values_N: Tensor) -> Tensor:
        return mean_per_sample(values_N, sample_N, len(rows))

    kl = reference_entropy = logprob = divergence = None
    if reference is not None:
        with torch.no_grad(), reference.using() as frozen:
            reference_NV = answer_logits(frozen, batch)
            reference_entropy = mean(token_entropy(reference_NV, temperature=temperature))
        kl = mean(token_kl(logits_NV, reference_NV))
    if wanted.logprob:
        chosen_N = token_logprob(logits_NV, batch.answer_ids[batch.answer_mask])
        logprob = chosen_N.new_zeros(len(rows)).index_add(0, sample_N, chosen_N)
    if wanted.divergence:
        divergence = mean(_divergence(logits_NV, sample_N, wanted.num_sides))
    entropy = mean(token_entropy(logits_NV, temperature=temperature))
    return Terms(entropy, kl, reference_entropy, logprob, divergence)


def _divergence(logits_NV: Tensor, sample_N: Tensor, num_sides: int) -> Tensor:
    """Returns KL between each row's distribution and those of the other sides, averaged, [N]."""
    width_A = torch.bincount(sample_N)
    if len(width_A) % num_sides or bool((width_A.view(-1, num_sides).diff(dim=1) != 0).any()):
        raise DataError(
            f"a divergence needs rows in groups of {num_sides}, one answer under every side; "
            f"micro_batch_size must be a multiple of {num_sides}"
        )
    start_S = width_A.cumsum(0) - width_A
    token_N = torch.arange(len(sample_N), device=sample_N.device) - start_S[sample_N]
    total = logits_NV.new_zeros(len(sample_N), dtype=torch.float32)
    for shift in range(1, num_sides):
        other_N = sample_N - sample_N % num_sides + (sample_N + shift) % num_sides
        total = total + token_kl(logits_NV, logits_NV[start_S[other_N] + token_N])
    return total / (num_sides - 1)
