"""The whole gradient of an expected loss, against the sum over every possible batch of answers."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from debias_core.config import DirectGapConfig, GroupGapConfig
from debias_core.errors import DataError
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.losses.score_function import score_function_term
from debias_core.losses.terms import Layout, Terms

GROUPS = torch.tensor([0, 1, 0, 1])
PROMPTS = 4
ANSWERS = 3


def layout() -> Layout:
    index = torch.arange(PROMPTS)
    own = torch.ones(PROMPTS, dtype=torch.bool)
    return Layout(GROUPS, index // 2, index, own, torch.ones(PROMPTS, dtype=torch.long))


def terms_of(logits: Tensor, drawn: tuple[int, ...]) -> Terms:
    """A policy of three one-token answers a prompt; "entropy" depends on answer and weights."""
    rows = torch.arange(PROMPTS)
    log_p = torch.log_softmax(logits, -1)[rows, list(drawn)]
    value = torch.sin(logits).cumsum(-1)[rows, list(drawn)] ** 2
    return Terms(value, logprob=log_p)


def loss_of(terms: Terms) -> Tensor:
    gap = terms.entropy[GROUPS == 0].mean() - terms.entropy[GROUPS == 1].mean()
    return gap.square() + 0.3 * terms.entropy.mean()


def test_the_expected_gradient_is_that_of_the_expected_loss() -> None:
    torch.manual_seed(0)
    logits = torch.randn(PROMPTS, ANSWERS, dtype=torch.float64, requires_grad=True)
    batches = list(itertools.product(range(ANSWERS), repeat=PROMPTS))

    expected_loss = sum(
        terms_of(logits, drawn).logprob.sum().exp() * loss_of(terms_of(logits, drawn))  # type: ignore[union-attr]
        for drawn in batches
    )
    (exact,) = torch.autograd.grad(expected_loss, logits)

    estimate, pathwise = torch.zeros_like(exact), torch.zeros_like(exact)
    for drawn in batches:
        terms = terms_of(logits, drawn)
        assert terms.logprob is not None
        weight = terms.logprob.sum().exp().detach()
        term = score_function_term(loss_of, terms, layout())
        assert term.item() == 0.0, "it changes the gradient, not the value"
        (path,) = torch.autograd.grad(loss_of(terms), logits, retain_graph=True)
        (score,) = torch.autograd.grad(term, logits)
        pathwise += weight * path
        estimate += weight * (path + score)
    assert torch.allclose(estimate, exact, atol=1e-12)
    assert not torch.allclose(pathwise, exact, atol=1e-3), "the pathwise part alone is another one"


def test_a_crossed_answer_is_credited_where_it_was_drawn() -> None:
    """The direct gap scores each answer under both prompts; its gradient is one per answer."""
    objective = TrainingObjective(DirectGapConfig(), score_function=True)
    entropy = torch.tensor([0.5, 0.1, 0.7, 0.2, 0.4, 0.4, 0.9, 0.3], dtype=torch.float64)
    index = torch.arange(8)
    group, answer = index % 2, index // 2
    crossed = Layout(group, index // 4, answer, answer % 2 == group, torch.ones(8))
    logprob = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    objective.loss(Terms(entropy, logprob=logprob), crossed).backward()
    assert logprob.grad is not None
    assert bool((logprob.grad[crossed.own] != 0).any())
    assert bool((logprob.grad[~crossed.own] == 0).all())


def test_one_answer_a_group_leaves_nothing_to_leave_out() -> None:
    objective = TrainingObjective(GroupGapConfig(), score_function=True)
    lone = Layout(
        torch.tensor([0, 1]), torch.zeros(2), torch.arange(2), torch.ones(2).bool(), torch.ones(2)
    )
    terms = Terms(torch.tensor([0.1, 0.2], requires_grad=True), logprob=torch.zeros(2))
    with pytest.raises(DataError, match="at least two answers of each group"):
        objective.loss(terms, lone)
