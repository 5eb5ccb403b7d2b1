"""The part of the gradient that goes through which answers are drawn.

The pathwise gradient holds the sampled answers fixed. The whole gradient of the expected loss is

    d E[L] = E[ sum_i dL/dh_i * dh_i  +  sum_i (L - b_i) * d log p(y_i) ]

for any baseline `b_i` that does not depend on answer i. Here `b_i` is the loss of the batch with
answer i's terms replaced by the mean over the other answers of its kind: unbiased, and free of the
part of the loss that answer i has no share in.

Source: Williams 1992 (REINFORCE); Kool et al. 2019 (leave-one-out baselines).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from debias_core.errors import DataError
from debias_core.losses.terms import Layout, Terms


def score_function_term(loss_of: Callable[[Terms], Tensor], terms: Terms, layout: Layout) -> Tensor:
    """Returns a term of value 0 whose gradient is the score-function part of that of the loss.

    Args:
        loss_of: the loss as a function of the terms.
        terms: of the effective batch; with the log-probability of every answer.
        layout: what each row is; an answer's log-probability is read where it was drawn.

    Raises:
        DataError: no log-probabilities, or a group with one answer only: nothing is left out.
    """
    if terms.logprob is None:
        raise DataError("the score-function term needs the log-probability of every answer")
    advantages = answer_advantages(loss_of, terms.map(Tensor.detach), layout)
    drawn = terms.logprob[layout.own]
    return (advantages[layout.answers[layout.own]] * (drawn - drawn.detach())).sum()


@torch.no_grad()
def answer_advantages(loss_of: Callable[[Terms], Tensor], terms: Terms, layout: Layout) -> Tensor:
    """Returns the loss minus what it would be had an answer been like the others, [answers]."""
    kinds = layout.groups * 2 + layout.own.long()
    counts = torch.bincount(kinds)
    if bool((counts[kinds] < 2).any()):
        raise DataError(
            "a leave-one-out baseline needs at least two answers of each group in a batch; raise "
            "effective_batch_size or samples_per_prompt"
        )

    def of_the_others(values: Tensor) -> Tensor:
        totals = values.new_zeros(len(counts)).index_add(0, kinds, values)
        return (totals[kinds] - values) / (counts[kinds] - 1)

    typical = terms.map(of_the_others)
    actual = loss_of(terms)
    advantages = []
    for answer in range(int(layout.answers.max()) + 1):
        rows = layout.answers == answer
        advantages.append(actual - loss_of(_mixed(terms, typical, rows)))
    return torch.stack(advantages)


def _mixed(terms: Terms, other: Terms, rows: Tensor) -> Terms:
    """Returns the terms with those of some rows taken from `other`."""

    def mix(here: Tensor | None, there: Tensor | None) -> Tensor | None:
        return None if here is None or there is None else torch.where(rows, there, here)

    return replace(
        terms,
        entropy=torch.where(rows, other.entropy, terms.entropy),
        kl=mix(terms.kl, other.kl),
        reference_entropy=mix(terms.reference_entropy, other.reference_entropy),
        divergence=mix(terms.divergence, other.divergence),
    )
