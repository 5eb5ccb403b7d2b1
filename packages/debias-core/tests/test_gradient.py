"""The gradient is that of the whole effective batch, however it is cut up."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import multiprocessing
from transformers import Qwen2ForCausalLM

from debias_core.config import (
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
)
from debias_core.errors import NonFiniteError
from debias_core.gradient import Terms, accumulate_gradient
from debias_core.lagrangian import Layout, TrainingObjective
from debias_core.scoring import ScoredRow, score

OBJECTIVES: list[ObjectiveConfig] = [
    GroupGapConfig(),
    GroupGapConfig(norm="l1", scale=2.0, kl=0.3),
    GeeConfig(level=0.5),
    PairGapConfig(),
    DirectGapConfig(),
    ConstrainedConfig(),
    EmConfig(kl=1.0),
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
    return rows, Layout(index % 2, pairs, pairs, torch.ones(8, dtype=torch.bool))


def references(model: Qwen2ForCausalLM) -> Qwen2ForCausalLM:
    """A reference that differs from the model, so that KL is not 0."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(1.05)
    return other


def gradient(
    model: Qwen2ForCausalLM, config: ObjectiveConfig, micro: int, start: int = 0, stop: int = 8
) -> torch.Tensor:
    rows, layout = make_rows()
    objective = TrainingObjective(config)
    objective.multiplier = 0.7
    reference = references(model)
    model.zero_grad()
    accumulate_gradient(
        [rows[i : i + micro] for i in range(start, stop, micro)],
        lambda batch: score(model, batch, reference=reference),
        lambda terms: objective.loss(terms, layout),
    )
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def full_batch_gradient(model: Qwen2ForCausalLM, config: ObjectiveConfig) -> torch.Tensor:
    """Plain autograd on the whole batch, none of the code under test but the loss."""
    rows, layout = make_rows()
    objective = TrainingObjective(config)
    objective.multiplier = 0.7
    model.zero_grad()
    objective.loss(score(model, rows, reference=references(model)), layout).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("config", OBJECTIVES, ids=lambda c: c.kind)
def test_every_cut_gives_the_same_gradient(
    tiny_model: Qwen2ForCausalLM, config: ObjectiveConfig
) -> None:
    exact = full_batch_gradient(tiny_model, config)
    assert exact.norm() > 1e-6
    for micro in (1, 2, 4, 8):
        error = (gradient(tiny_model, config, micro) - exact).norm() / exact.norm()
        assert error < 1e-12, (micro, error)


def test_the_mean_of_micro_batch_gaps_is_another_direction(tiny_model: Qwen2ForCausalLM) -> None:
    """Why two passes: the naive accumulation is far from the exact gradient."""
    rows, layout = make_rows()
    objective = TrainingObjective(GroupGapConfig())
    exact = full_batch_gradient(tiny_model, GroupGapConfig())
    tiny_model.zero_grad()
    for i in range(0, 8, 2):
        part = slice(i, i + 2)
        here = Layout(
            layout.groups[part], layout.pairs[part], layout.answers[part], layout.own[part]
        )
        (objective.loss(score(tiny_model, rows[part]), here) / 4).backward()
    naive = torch.cat([p.grad.flatten() for p in tiny_model.parameters() if p.grad is not None])
    assert (naive - exact).norm() / exact.norm() > 0.1


def test_known_terms_skip_the_first_pass(tiny_model: Qwen2ForCausalLM) -> None:
    rows, layout = make_rows()
    exact = gradient(tiny_model, ConstrainedConfig(), 2)
    objective = TrainingObjective(ConstrainedConfig())
    objective.multiplier = 0.7
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
        known=Terms(entropy, torch.zeros_like(entropy)),
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
    from torch.nn.parallel import DistributedDataParallel
    from transformers import Qwen2Config

    model_config, objective_config = config  # type: ignore[misc]
    model = Qwen2ForCausalLM(Qwen2Config.from_dict(model_config)).double().eval()
    model.load_state_dict(state)
    ddp = DistributedDataParallel(model)
    rows, layout = make_rows()
    objective = TrainingObjective(objective_config)
    objective.multiplier = 0.7
    reference = references(model)
    mine = rows[4 * rank : 4 * rank + 4]
    accumulate_gradient(
        [mine[:2], mine[2:]],
        lambda batch: score(ddp, batch, reference=reference),
        lambda terms: objective.loss(terms, layout),
        no_sync=ddp.no_sync,
    )
    grads = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    torch.save(grads, f"{folder}/grad{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("config", [GroupGapConfig(), ConstrainedConfig()], ids=lambda c: c.kind)
def test_two_processes_give_the_gradient_of_one(
    tiny_model: Qwen2ForCausalLM, tmp_path: Path, config: ObjectiveConfig
) -> None:
    exact = full_batch_gradient(tiny_model, config)
    args = (str(tmp_path), tiny_model.state_dict(), (tiny_model.config.to_dict(), config))
    multiprocessing.spawn(_worker, args=args, nprocs=2)
    for rank in (0, 1):
        got = torch.load(tmp_path / f"grad{rank}.pt")
        assert ((got - exact).norm() / exact.norm()).item() < 1e-12
