"""The gradient is that of the whole effective batch, however it is cut up."""

from __future__ import annotations

import copy
import gc
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import multiprocessing
from transformers import Qwen2ForCausalLM

from debias_core.config import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
)
from debias_core.errors import DataError, NonFiniteError
from debias_core.losses.gradient import accumulate_gradient
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.losses.terms import Layout, Terms
from debias_core.scoring.answers import ScoredRow, Wanted, score
from debias_core.scoring.reference import FrozenModel

OBJECTIVES: list[ObjectiveConfig] = [
    GroupGapConfig(),
    GroupGapConfig(norm="l1", scale=2.0, kl=0.3),
    GeeConfig(level=0.5),
    PairGapConfig(),
    DirectGapConfig(),
    ConstrainedConfig(),
    EmConfig(kl=1.0),
    PairGapConfig(estimator="half_split", scale=3.0),
    PlaceboConfig(),
    CdaConfig(kl=0.1),
]


def make_rows() -> tuple[list[ScoredRow], Layout]:
    """Eight rows, four pairs; rows 2k and 2k+1 share an answer where a test needs it crosswise."""
    generator = torch.Generator().manual_seed(1)
    rows = []
    for i in range(8):
        prompt = torch.randint(2, 61, (2 + i % 3,), generator=generator).tolist()
        answer = torch.randint(2, 61, (1 + (3 * i) % 5,), generator=generator).tolist()
        rows.append(ScoredRow(prompt, answer))
    index = torch.arange(8)
    pairs = index // 2
    lengths = torch.tensor([len(row.answer) for row in rows])
    return rows, Layout(index % 2, pairs, index, torch.ones(8, dtype=torch.bool), lengths)


def crosswise() -> tuple[list[ScoredRow], Layout]:
    """Eight rows, two pairs of two answers each, every answer under both prompts of its pair."""
    rows, _ = make_rows()
    prompts, answers = [row.prompt for row in rows[:4]], [row.answer for row in rows[:4]]
    index = torch.arange(8)
    pair, answer, group = index // 4, index // 2, index % 2
    crossed = [
        ScoredRow(prompts[2 * int(p) + int(g)], answers[int(a)])
        for p, a, g in zip(pair, answer, group, strict=True)
    ]
    lengths = torch.tensor([len(row.answer) for row in crossed])
    return crossed, Layout(group, pair, answer, answer % 2 == group, lengths)


def rows_for(objective: TrainingObjective) -> tuple[list[ScoredRow], Layout]:
    return crosswise() if objective.crossed else make_rows()


def wanted(objective: TrainingObjective) -> Wanted:
    return Wanted(logprob=objective.needs_logprob, divergence=objective.needs_divergence)


def references(model: Qwen2ForCausalLM) -> FrozenModel:
    """A reference that differs from the model, so that KL is not 0."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(1.05)
    return FrozenModel(other)


def gradient(model: Qwen2ForCausalLM, objective: TrainingObjective, micro: int) -> torch.Tensor:
    rows, layout = rows_for(objective)
    reference = references(model)
    model.zero_grad()
    accumulate_gradient(
        [rows[i : i + micro] for i in range(0, 8, micro)],
        lambda batch: score(model, batch, reference=reference, wanted=wanted(objective)),
        lambda terms: objective.loss(terms, layout),
    )
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def full_batch_gradient(model: Qwen2ForCausalLM, objective: TrainingObjective) -> torch.Tensor:
    """Plain autograd on the whole batch, none of the code under test but the loss."""
    rows, layout = rows_for(objective)
    model.zero_grad()
    terms = score(model, rows, reference=references(model), wanted=wanted(objective))
    objective.loss(terms, layout).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def under_way(config: ObjectiveConfig, *, score_function: bool = False) -> TrainingObjective:
    """The objective with multipliers as they are in the middle of a run."""
    objective = TrainingObjective(config, score_function=score_function)
    objective.multipliers = [0.7, -0.7]
    return objective


@pytest.mark.parametrize("score_function", [False, True], ids=["pathwise", "score"])
@pytest.mark.parametrize("config", OBJECTIVES, ids=lambda c: c.kind)
def test_every_cut_gives_the_same_gradient(
    tiny_model: Qwen2ForCausalLM, config: ObjectiveConfig, score_function: bool
) -> None:
    objective = under_way(config, score_function=score_function)
    exact = full_batch_gradient(tiny_model, objective)
    assert exact.norm() > 1e-6
    for micro in (1, 2, 4, 8):
        error = (gradient(tiny_model, objective, micro) - exact).norm() / exact.norm()
        assert error < 1e-12, (micro, error)


def test_a_divergence_keeps_the_sides_of_an_answer_together(
    tiny_model: Qwen2ForCausalLM,
) -> None:
    objective = under_way(ConsistencyConfig(kl=0.2))
    exact = full_batch_gradient(tiny_model, objective)
    assert exact.norm() > 1e-6
    for micro in (2, 4, 8):
        error = (gradient(tiny_model, objective, micro) - exact).norm() / exact.norm()
        assert error < 1e-12, (micro, error)
    with pytest.raises(DataError, match="micro_batch_size must be a multiple of 2"):
        gradient(tiny_model, objective, 1)


def test_the_mean_of_micro_batch_gaps_is_another_direction(tiny_model: Qwen2ForCausalLM) -> None:
    """Why two passes: the naive accumulation is far from the exact gradient."""
    rows, layout = make_rows()
    objective = under_way(GroupGapConfig())
    exact = full_batch_gradient(tiny_model, objective)
    tiny_model.zero_grad()
    for i in range(0, 8, 2):
        part = slice(i, i + 2)
        here = Layout(*(getattr(layout, field.name)[part] for field in fields(layout)))
        (objective.loss(score(tiny_model, rows[part]), here) / 4).backward()
    naive = torch.cat([p.grad.flatten() for p in tiny_model.parameters() if p.grad is not None])
    assert (naive - exact).norm() / exact.norm() > 0.1


def test_known_terms_skip_the_first_pass(tiny_model: Qwen2ForCausalLM) -> None:
    rows, layout = make_rows()
    objective = under_way(ConstrainedConfig())
    exact = gradient(tiny_model, objective, 2)
    reference = references(tiny_model)
    with torch.no_grad():
        entropy = score(tiny_model, rows).entropy
    calls = []

    def terms_of(batch: list[ScoredRow]) -> Terms:
        calls.append(len(batch))
        return score(tiny_model, batch, reference=reference)

    tiny_model.zero_grad()
    report = accumulate_gradient(
        [rows[:4], rows[4:]],
        terms_of,
        lambda terms: objective.loss(terms, layout),
        known=Terms(entropy, *[torch.zeros_like(entropy)] * 2),
    )
    got = torch.cat([p.grad.flatten() for p in tiny_model.parameters() if p.grad is not None])
    assert calls == [4, 4]
    assert ((got - exact).norm() / exact.norm()).item() < 1e-12
    expected = objective.loss(score(tiny_model, rows, reference=reference), layout)
    assert report.loss == pytest.approx(expected.item(), abs=1e-10)


def test_a_loss_that_is_not_finite_adds_no_gradient(tiny_model: Qwen2ForCausalLM) -> None:
    rows, _ = make_rows()
    tiny_model.zero_grad()
    with pytest.raises(NonFiniteError, match="the loss is nan"):
        accumulate_gradient(
            [rows], lambda b: score(tiny_model, b), lambda terms: terms.entropy.sum() * torch.nan
        )
    assert all(p.grad is None for p in tiny_model.parameters())


def _worker(rank: int, folder: str, state: dict[str, torch.Tensor], config: object) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    torch.save(_gradient_here(rank, state, config), f"{folder}/grad{rank}.pt")
    gc.collect()  # a wrapper that outlives its group may wait for ever when it is freed
    torch.distributed.destroy_process_group()


def _gradient_here(rank: int, state: dict[str, torch.Tensor], config: object) -> torch.Tensor:
    from torch.nn.parallel import DistributedDataParallel
    from transformers import Qwen2Config

    model_config, objective_config = config  # type: ignore[misc]
    model = Qwen2ForCausalLM(Qwen2Config.from_dict(model_config)).double().eval()
    model.load_state_dict(state)
    ddp = DistributedDataParallel(model)
    rows, layout = make_rows()
    objective = under_way(objective_config)
    reference = references(model)
    mine = rows[4 * rank : 4 * rank + 4]
    accumulate_gradient(
        [mine[:2], mine[2:]],
        lambda batch: score(ddp, batch, reference=reference),
        lambda terms: objective.loss(terms, layout),
        no_sync=ddp.no_sync,
    )
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("config", [GroupGapConfig(), ConstrainedConfig()], ids=lambda c: c.kind)
def test_two_processes_give_the_gradient_of_one(
    tiny_model: Qwen2ForCausalLM, tmp_path: Path, config: ObjectiveConfig
) -> None:
    exact = full_batch_gradient(tiny_model, under_way(config))
    args = (str(tmp_path), tiny_model.state_dict(), (tiny_model.config.to_dict(), config))
    multiprocessing.spawn(_worker, args=args, nprocs=2)
    for rank in (0, 1):
        got = torch.load(tmp_path / f"grad{rank}.pt")
        assert ((got - exact).norm() / exact.norm()).item() < 1e-12
