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

from debias_core.errors import DataError
from debias_core.losses.terms import Terms
from debias_core.scoring.entropy import mean_per_sample
from debias_core.scoring.reference import Reference
from debias_core.scoring.token_terms import Request, token_terms


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

    @property
    def sample_N(self) -> Tensor:  # noqa: N802 - the shape
        """The row of every answer token, rows one after the other."""
        return self.answer_mask.nonzero()[:, 0]

    @property
    def targets_N(self) -> Tensor:  # noqa: N802 - the shape
        """The id of every answer token."""
        return self.answer_ids[self.answer_mask]


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

    The [N, V] logits are never held where the model's output head is known (`scoring.heads`); for a
    divergence, and where it is not, they are.

    Args:
        model: a causal LM of transformers; dropout must be off. Wrappers are called as they are.
        rows: [B].
        reference: the model that KL is measured against; no gradient goes through it.
        temperature: of the entropies. All else is of the untempered distributions.
        wanted: further terms.
    """
    batch = collate(rows, device=next(model.parameters()).device)
    request = Request(
        reference=reference,
        temperature=temperature,
        logprob=wanted.logprob,
        num_sides=wanted.num_sides if wanted.divergence else 0,
    )
    tokens = token_terms(model, batch, request)
    means = {
        name: mean_per_sample(values_N, batch.sample_N, len(rows))
        for name, values_N in tokens.present().items()
    }
    if tokens.logprob is not None:  # of the whole answer: the sum
        zeros = tokens.logprob.new_zeros(len(rows))
        means["logprob"] = zeros.index_add(0, batch.sample_N, tokens.logprob)
    return Terms(**means)
