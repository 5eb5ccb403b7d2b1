"""Scores sampled answers: entropy and KL of every answer token, averaged per answer.

Layout of a batch: every row is its prompt and its answer, padded on the right. A causal model sees
no padding from where it predicts an answer, so that it needs no mask, and a row's entropies are the
same in any batch; only the columns in which answers are predicted go through the output layer.

Shape suffixes: B rows, T columns, A the last of them, from the first that predicts an answer token,
N scored tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from debias_core.errors import DataError
from debias_core.linear import CompileHead
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

    @property
    def length(self) -> int:
        """Tokens of both."""
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as tensors.

    Attributes:
        input_ids: [B, T].
        predicts: [B, A] whether a column predicts an answer token.
        next_ids: [B, A] the token that follows.
    """

    input_ids: Tensor
    predicts: Tensor
    next_ids: Tensor

    @property
    def sample_N(self) -> Tensor:  # noqa: N802 - the shape
        """The row of every answer token, rows one after the other."""
        return self.predicts.nonzero()[:, 0]

    @property
    def targets_N(self) -> Tensor:  # noqa: N802 - the shape
        """The id of every answer token."""
        return self.next_ids[self.predicts]


def collate(rows: Sequence[ScoredRow], *, device: torch.device | str = "cpu") -> Batch:
    """Returns the rows as one padded batch.

    The padding token is arbitrary (0): what counts comes from lengths, never from token ids, so a
    pad token that equals EOS hides nothing.
    """
    if not rows:
        raise DataError("there is no row to score")
    for row in rows:
        if not row.prompt or not row.answer:
            raise DataError("a scored row needs at least one prompt and one answer token")
    width = max(row.length for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    predicts = torch.zeros(len(rows), width - 1, dtype=torch.bool)  # the last token predicts none
    for b, row in enumerate(rows):
        ids[b, : row.length] = torch.tensor([*row.prompt, *row.answer])
        predicts[b, len(row.prompt) - 1 : row.length - 1] = True
    first = min(len(row.prompt) for row in rows) - 1
    return Batch(
        input_ids=ids[:, :-1].to(device),
        predicts=predicts[:, first:].to(device),
        next_ids=ids[:, first + 1 :].to(device),
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
    compile_head: CompileHead = "none",
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
        compile_head: what is compiled, as in `linear_token_entropy`; `logits` holds them after all.
    """
    batch = collate(rows, device=next(model.parameters()).device)
    request = Request(
        reference=reference,
        temperature=temperature,
        logprob=wanted.logprob,
        num_sides=wanted.num_sides if wanted.divergence else 0,
        compile_head=compile_head,
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
