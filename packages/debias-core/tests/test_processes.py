"""Two processes give what one gives: the same steps, looks and weights."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import multiprocessing
from torch.distributed.tensor import DTensor
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, DirectGapConfig, LoraConfig, TrainConfig
from debias_core.errors import InterruptedTraining
from debias_core.models.loading import load_model
from debias_core.training.parallel import the_accelerator
from debias_core.training.progress import TrainResult
from debias_core.training.trainer import DebiasTrainer

Rows = list[dict[str, object]]

BASE: dict[str, object] = {
    "objective": ConstrainedConfig(),
    "max_steps": 3,
    "effective_batch_size": 8,
    "micro_batch_size": 2,
    "generation_batch_size": 6,
    "max_new_tokens": 6,
    "eval_every": 1,
    "checkpoint_every": 1,
    "learning_rate": 1e-2,
    "early_stopping": False,
    "device": "cpu",
    "dtype": "float64",
}

FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}


class Job(NamedTuple):
    """One training: everything that a process needs to know for it."""

    settings: Mapping[str, object]
    model: Path
    tokenizer: PreTrainedTokenizerFast
    train: Rows
    dev: Rows
    stop_after: int | None = None

    def run(self, folder: Path) -> TrainResult | None:
        """Trains into a folder; None where it was stopped."""
        config = TrainConfig(**{**BASE, **self.settings})  # type: ignore[arg-type]
        model, _ = load_model(self.model, dtype=config.dtype, device="cpu")
        trainer = DebiasTrainer(model, self.tokenizer, config)
        parts = [isinstance(p, DTensor) for p in model.parameters()]
        assert set(parts) == {"ACCELERATE_USE_FSDP" in os.environ}
        steps = iter(range(1, 100))
        # one process is asked to stop, and all do
        asked = int(os.environ.get("RANK", "0")) == int(os.environ.get("WORLD_SIZE", "1")) - 1
        try:
            return trainer.fit(
                self.train,
                self.dev,
                out=folder / "model",
                checkpoints=folder / "checkpoints",
                should_stop=lambda: asked and next(steps) == self.stop_after,
            )
        except InterruptedTraining:
            return None


def shard_on_the_cpu() -> None:
    """Makes accelerate use FSDP here; by itself it does so on accelerators only."""
    from accelerate import DistributedType, FullyShardedDataParallelPlugin, PartialState

    state = the_accelerator(cpu=True).state
    PartialState().distributed_type = state.distributed_type = DistributedType.FSDP
    state.fsdp_plugin = FullyShardedDataParallelPlugin()


def _process(rank: int, folder: Path, variables: Mapping[str, str], jobs: list[Job]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), **variables}
    if "ACCELERATE_USE_FSDP" in variables:
        shard_on_the_cpu()
    results = [job.run(folder / str(i)) for i, job in enumerate(jobs)]
    torch.save(results, folder / f"results-{rank}.pt")
    # a wrapper that outlives its group may wait for ever when it is freed
    gc.collect()
    torch.distributed.destroy_process_group()


def two_processes(folder: Path, jobs: list[Job], **variables: str) -> list[TrainResult | None]:
    """Runs jobs one after the other in two processes; both must report the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    connection = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    variables = connection | {"ACCELERATE_USE_CPU": "true"} | variables
    multiprocessing.spawn(_process, args=(folder, variables, jobs), nprocs=2)
    first, second = (torch.load(folder / f"results-{r}.pt", weights_only=False) for r in (0, 1))
    for a, b in zip(first, second, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert [log.loss for log in a.history] == [log.loss for log in b.history]
            assert [look.gap for look in a.evaluations] == [look.gap for look in b.evaluations]
    results: list[TrainResult | None] = first
    return results


@pytest.fixture
def make_job(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Callable[..., Rows],
    tmp_path: Path,
) -> Callable[..., Job]:
    # many tokens end an answer: processes have to wait for one another
    tiny_model.generation_config.eos_token_id = [1, *range(20, 30)]
    start = tmp_path / "start"
    tiny_model.save_pretrained(start)
    tokenizer.save_pretrained(start)

    def make(held_out: int = 7, **settings: object) -> Job:  # does not divide by two
        dev = make_rows(held_out, prefix="d")
        return Job(settings, start, tokenizer, make_rows(16), dev)

    return make


def assert_same(result: TrainResult | None, expected: TrainResult | None, error: float) -> None:
    assert result is not None
    assert expected is not None
    assert result.steps == expected.steps
    for log, other in zip(result.history, expected.history, strict=True):
        assert log.loss == pytest.approx(other.loss, abs=error)
        assert log.grad_norm == pytest.approx(other.grad_norm, rel=10 * error)
        assert (log.tokens, log.answers) == (other.tokens, other.answers)
        assert (log.truncated, log.empty) == (other.truncated, other.empty)
    looks = [*result.evaluations, result.kept], [*expected.evaluations, expected.kept]
    for look, other_look in zip(*looks, strict=True):
        assert look.gap.gap == pytest.approx(other_look.gap.gap, abs=error)
        assert look.gap.num_pairs == other_look.gap.num_pairs
        assert look.gap.high == pytest.approx(other_look.gap.high, abs=error)
        assert look.kl == pytest.approx(other_look.kl, abs=error)
        assert look.truncated == other_look.truncated


def assert_same_model(folder: Path, other: Path, error: float) -> None:
    model, expected = (load_model(path / "model", dtype="float64")[0] for path in (folder, other))
    for (name, a), b in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=error), name


KINDS = [pytest.param({}, id="ddp"), pytest.param(FSDP, id="fsdp", marks=pytest.mark.long)]


@pytest.mark.slow
@pytest.mark.parametrize("variables", KINDS)
def test_two_processes_train_as_one(
    make_job: Callable[..., Job], tmp_path: Path, variables: dict[str, str]
) -> None:
    pytest.importorskip("peft")
    several = {"objective": DirectGapConfig(), "samples_per_prompt": 2, "max_steps": 2}
    jobs = [
        make_job(),
        make_job(lora=LoraConfig(rank=2), gradient_checkpointing=True, **several),
        # AdamW divides by the gradient's size: rounding of the smallest ones is a whole step
        make_job(held_out=133, dtype="float32", learning_rate=1e-4, max_steps=2),
        make_job()._replace(stop_after=2),
    ]
    errors = [1e-10, 1e-10, 1e-5]
    results = two_processes(tmp_path, jobs, **variables)
    assert results[3] is None
    assert [p.name for p in (tmp_path / "3" / "checkpoints").iterdir()] == ["step-000002"]
    alone = tmp_path / "alone"
    for i, error in enumerate(errors):
        expected = jobs[i].run(alone / str(i))
        assert_same(results[i], expected, error)
        assert_same_model(tmp_path / str(i), alone / str(i), 100 * error)
        assert expected is not None
        assert 0 < expected.history[0].truncated < expected.history[0].answers
    # what two processes saved, one goes on with
    resumed = jobs[3]._replace(stop_after=None).run(tmp_path / "3")
    assert_same(resumed, results[0], 1e-10)
