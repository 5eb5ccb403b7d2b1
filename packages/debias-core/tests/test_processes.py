"""Two processes give what one gives: the same steps, looks and weights."""

from __future__ import annotations

import gc
import math
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import multiprocessing
from torch.distributed.tensor import DTensor
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, DirectGapConfig, LoraConfig, TrainConfig
from debias_core.errors import (
    ConfigError,
    InterruptedTraining,
    MissingPackageError,
    NonFiniteError,
)
from debias_core.models.loading import load_model
from debias_core.training.deepspeed import StatesShared, check_installed, check_settings
from debias_core.training.parallel import the_accelerator
from debias_core.training.progress import TrainResult
from debias_core.training.trainer import DebiasTrainer
from debias_core.training.wrappers import OneProcess, Sharded, WholeInEach

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
    folder: str | None = None
    spoil: bool = False

    def run(self, folder: Path) -> TrainResult | None:
        """Trains into a folder; None where it was stopped, or spoilt as it should be."""
        config = TrainConfig(**{**BASE, **self.settings})  # type: ignore[arg-type]
        model, _ = load_model(self.model, dtype=config.dtype, device=config.device)
        trainer = DebiasTrainer(model, self.tokenizer, config)
        assert type(trainer.engine.parallel) is expected_wrapper()
        parts = [isinstance(p, DTensor) for p in model.parameters()]
        assert set(parts) == {"ACCELERATE_USE_FSDP" in os.environ}
        steps = iter(range(1, 100))
        # one process is asked to stop, or finds a bad gradient, and all do
        asked = int(os.environ.get("RANK", "0")) == int(os.environ.get("WORLD_SIZE", "1")) - 1
        before = trainer.engine.weights.copy()
        if self.spoil and asked:
            model.model.norm.weight.register_hook(lambda gradient: gradient * math.inf)

        def fit() -> TrainResult:
            return trainer.fit(
                self.train,
                self.dev,
                out=folder / "model",
                checkpoints=folder / "checkpoints",
                should_stop=lambda: asked and next(steps) == self.stop_after,
            )

        if self.spoil:
            with pytest.raises(NonFiniteError, match=r"step 1: the gradient's norm is (inf|nan)"):
                fit()
            after = trainer.engine.weights.copy()
            assert all(torch.equal(after[name], before[name]) for name in before)
            return None
        try:
            return fit()
        except InterruptedTraining:
            return None


def expected_wrapper() -> type[OneProcess]:
    if "WORLD_SIZE" not in os.environ:
        return OneProcess
    if "ACCELERATE_USE_FSDP" in os.environ:
        return Sharded
    return StatesShared if "ACCELERATE_USE_DEEPSPEED" in os.environ else WholeInEach


def shard_on_the_cpu() -> None:
    """Makes accelerate use FSDP here; by itself it does so on accelerators only."""
    from accelerate import DistributedType, FullyShardedDataParallelPlugin, PartialState

    state = the_accelerator(cpu=True).state
    PartialState().distributed_type = state.distributed_type = DistributedType.FSDP
    state.fsdp_plugin = FullyShardedDataParallelPlugin()


def leave_the_compiler_out() -> None:
    """Makes DeepSpeed use gloo alone; on a CPU it would compile an operation of its own first."""
    from deepspeed import ops

    ops.__compatible_ops__["deepspeed_shm_comm"] = False


def _process(rank: int, folder: Path, variables: Mapping[str, str], jobs: list[Job]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), **variables}
    if "ACCELERATE_USE_FSDP" in variables:
        shard_on_the_cpu()
    if "ACCELERATE_USE_DEEPSPEED" in variables:
        leave_the_compiler_out()
    results = [job.run(folder / (job.folder or str(i))) for i, job in enumerate(jobs)]
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
        assert log.loss == pytest.approx(other.loss, rel=error, abs=error)
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
        make_job(dtype="bfloat16", max_steps=2),
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
    # bfloat16 draws other answers where it rounds in another order
    assert results[4] is not None
    assert results[4].steps == 2
    written = load_file(tmp_path / "4" / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("stage", [pytest.param(1, marks=pytest.mark.long), 2])
def test_two_processes_with_deepspeed_train_as_one(
    make_job: Callable[..., Job], tmp_path: Path, stage: int
) -> None:
    pytest.importorskip("peft")
    pytest.importorskip("deepspeed")
    full: dict[str, object] = {
        "dtype": "float32",
        "learning_rate": 1e-4,
        "max_grad_norm": 0.5,  # not the one that accelerate sets
        "device": "auto",
    }
    adapter = full | {
        "objective": DirectGapConfig(),
        "samples_per_prompt": 2,
        "lora": LoraConfig(rank=2),
        "gradient_checkpointing": True,
    }
    interrupted = make_job(**full)._replace(stop_after=1, folder="interrupted")
    jobs = [make_job(**full), make_job(**adapter), interrupted, interrupted]
    results = two_processes(
        tmp_path,
        [*jobs, make_job(**full)._replace(spoil=True)],
        ACCELERATE_USE_CPU="false",  # accelerate would then leave DeepSpeed out
        ACCELERATE_USE_DEEPSPEED="true",
        ACCELERATE_DEEPSPEED_ZERO_STAGE=str(stage),
    )
    assert results[2:] == [None] * 3
    alone = tmp_path / "alone"
    for i in (0, 1):
        assert_same(results[i], jobs[i].run(alone / str(i)), 1e-5)
        assert_same_model(tmp_path / str(i), alone / str(i), 1e-4)
    # two processes went on with what two had saved, and now one does
    checkpoints = tmp_path / "interrupted" / "checkpoints"
    assert [p.name for p in checkpoints.iterdir()] == ["step-000002"]
    resumed = interrupted._replace(stop_after=None).run(tmp_path / "interrupted")
    assert_same(resumed, results[0], 1e-5)
    assert_same_model(tmp_path / "interrupted", tmp_path / "0", 1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zero_optimization": {"stage": 3}}, "stages 1 and 2, not 3; use FSDP 2"),
        ({"zero_optimization": {"stage": 0}}, "not 0"),
        (
            {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}},
            "offload_optimizer; set its device to none",
        ),
        ({"optimizer": {"type": "AdamW"}}, "has 'optimizer'; leave it out, and set learning_rate"),
        ({"scheduler": {"type": "WarmupLR"}}, "set schedule in the run's config"),
        ({"bf16": {"enabled": True}}, "enables bf16; .* set mixed_precision"),
    ],
)
def test_deepspeed_settings_that_training_cannot_use_are_refused(
    change: dict[str, object], message: str
) -> None:
    fine = {"zero_optimization": {"stage": 2, "offload_param": {"device": "none"}}}
    check_settings(fine)
    with pytest.raises(ConfigError, match=message):
        check_settings(fine | change)


def test_deepspeed_that_accelerate_leaves_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_settings(None)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(ConfigError, match="out on the CPU: set device to auto, or use MULTI_CPU"):
        check_settings(None)


def test_deepspeed_trains_float32_only(tiny_model: Qwen2ForCausalLM) -> None:
    model = tiny_model.double()
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(ConfigError, match=r"in float32, not torch.float64; set dtype"):
        StatesShared(model, Accelerator(cpu=True), optimizer)


def test_deepspeed_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'debias-core\[deepspeed\]'"):
        check_installed()
