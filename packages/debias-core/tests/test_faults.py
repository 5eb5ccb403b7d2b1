"""A step that goes wrong: nothing is updated, it is written down, and the error says what to do."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConsistencyConfig, GroupGapConfig, TrainConfig
from debias_core.errors import (
    ConfigError,
    DataError,
    InterruptedTraining,
    NonFiniteError,
    NotEnoughMemoryError,
)
from debias_core.recovery.faults import FaultGuard, write_crash_dump
from debias_core.recovery.interruption import stop_on_signals
from debias_core.recovery.memory import explaining_memory, is_out_of_memory, smaller_batch
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]
IMPOSSIBLE = 2**50  # elements; the allocator refuses them on any machine


def config(**changes: object) -> TrainConfig:
    base: dict[str, object] = {
        "max_steps": 4,
        "effective_batch_size": 8,
        "micro_batch_size": 4,
        "max_new_tokens": 4,
        "eval_every": 4,
        "checkpoint_every": 1,
        "learning_rate": 1e-3,
    }
    return TrainConfig(**{**base, **changes})  # type: ignore[arg-type]


class Setup:
    """A trainer on the tiny model, and its data."""

    def __init__(
        self, model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: Rows
    ) -> None:
        self.model, self.tokenizer = model.float(), tokenizer
        self.data = rows(16), rows(8, prefix="d")
        self.start = {k: v.clone() for k, v in model.state_dict().items()}

    def trainer(self, **changes: object) -> DebiasTrainer:
        self.model.load_state_dict(self.start)
        return DebiasTrainer(self.model, self.tokenizer, config(**changes))

    def weights(self) -> dict[str, torch.Tensor]:
        return {k: v.clone() for k, v in self.model.state_dict().items()}


@pytest.fixture
def setup(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> Setup:
    return Setup(tiny_model, tokenizer, make_rows)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in b)


def in_step(trainer: DebiasTrainer, step: int, action: Callable[[], None]) -> None:
    """Runs the action when the trainer makes the gradient of that step."""
    accumulate = trainer._gradient.accumulate

    def wrapped(batch, number, **rest):
        if number == step:
            action()
        return accumulate(batch, number, **rest)

    trainer._gradient.accumulate = wrapped  # type: ignore[method-assign]


def test_a_gradient_that_is_not_finite_is_written_down(setup: Setup, tmp_path: Path) -> None:
    trainer = setup.trainer(objective=GroupGapConfig())
    setup.model.lm_head.weight.register_hook(lambda grad: grad * math.nan)
    with pytest.raises(NonFiniteError, match="step 1: the gradient's norm is nan") as caught:
        trainer.fit(*setup.data, out=tmp_path / "runs" / "model")
    assert same(setup.weights(), setup.start)
    [path] = (tmp_path / "runs").iterdir()
    assert str(path) in str(caught.value)
    dump = json.loads(path.read_text())
    assert dump["step"] == 1
    assert math.isfinite(dump["loss"])
    assert len(dump["pair_ids"]) == len(set(dump["pair_ids"])) == 4
    assert set(dump["pair_ids"]) <= {row["pair_id"] for row in setup.data[0]}
    assert dump["terms"]["entropy"]["of"] == 8
    assert 0 <= dump["terms"]["entropy"]["min"] <= dump["terms"]["entropy"]["max"]
    assert dump["gradients_not_finite"]["first"] == ["lm_head.weight"]
    assert dump["config"]["objective"]["kind"] == "group_gap"
    assert dump["versions"]["torch"] == torch.__version__


def test_a_loss_that_is_not_finite_is_written_down_and_the_checkpoint_goes_on(
    setup: Setup, tmp_path: Path
) -> None:
    whole = setup.trainer()
    whole.fit(*setup.data)
    expected = setup.weights()

    broken = setup.trainer()
    spoil = setup.model.model.norm.register_forward_hook

    def start_spoiling() -> None:
        nonlocal handle
        handle = spoil(lambda *a: a[-1] * math.nan)

    handle = None
    in_step(broken, 3, start_spoiling)
    with pytest.raises(NonFiniteError, match=r"step 3: the loss is nan.*crash-step-000003\.json"):
        broken.fit(*setup.data, checkpoints=tmp_path)
    assert handle is not None
    handle.remove()
    dump = json.loads((tmp_path / "crash-step-000003.json").read_text())
    assert dump["loss"] == "nan"
    assert dump["terms"]["entropy"]["not_finite"] == 8

    setup.trainer().fit(*setup.data, checkpoints=tmp_path)
    assert same(setup.weights(), expected), "the run goes on from step 2 as if nothing had been"


def test_weights_that_are_not_finite_are_never_saved(setup: Setup, tmp_path: Path) -> None:
    trainer = setup.trainer()
    update = trainer.optimizer.step

    def spoil() -> None:
        update()
        with torch.no_grad():
            setup.model.model.norm.weight[0] = math.inf

    trainer.optimizer.step = spoil  # type: ignore[method-assign]
    with pytest.raises(NonFiniteError, match=r"'model.norm.weight' is not finite after the update"):
        trainer.fit(*setup.data, checkpoints=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["crash-step-000001.json"]


def test_a_look_that_is_not_finite_ends_the_run(setup: Setup) -> None:
    trainer = setup.trainer()
    setup.model.lm_head.register_forward_hook(lambda *a: a[-1] * math.nan)
    with pytest.raises(NonFiniteError, match="the held-out gap is nan .* no crash dump: neither"):
        trainer.fit(*setup.data)


def test_any_exception_in_a_step_leaves_a_checkpoint_to_go_on_from(
    setup: Setup, tmp_path: Path
) -> None:
    setup.trainer().fit(*setup.data)
    expected = setup.weights()

    def fail() -> None:
        raise ZeroDivisionError("somewhere deep down")

    broken = setup.trainer()
    in_step(broken, 3, fail)
    with pytest.raises(ZeroDivisionError):
        broken.fit(*setup.data, checkpoints=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000002"]
    setup.trainer().fit(*setup.data, checkpoints=tmp_path)
    assert same(setup.weights(), expected)


def test_a_crash_dump_is_plain_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    path = write_crash_dump(tmp_path, {"step": 7, "loss": -math.inf, "terms": (math.nan, 1.5)})
    assert path.name == "crash-step-000007-rank-3.json"
    assert json.loads(path.read_text()) == {"step": 7, "loss": "-inf", "terms": ["nan", 1.5]}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("changes", [{}, {"micro_batch_size": 1}])
def test_too_little_memory_for_scoring_names_the_smaller_setting(
    setup: Setup, changes: dict[str, object]
) -> None:
    trainer = setup.trainer(**changes)
    in_step(trainer, 2, lambda: torch.empty(IMPOSSIBLE) and None)
    with pytest.raises(NotEnoughMemoryError) as caught:
        trainer.fit(*setup.data)
    message = str(caught.value)
    size = changes.get("micro_batch_size", 4)
    assert f"in step 2, scoring {size} rows at once, prompts of up to 3 and answers" in message
    assert "in float32" in message
    assert "GiB" in message
    if changes:
        assert "micro_batch_size is 1 already: set max_new_tokens below 4" in message
    else:
        assert "set micro_batch_size: 2, now 4" in message
    assert is_out_of_memory(caught.value.__cause__)


def test_too_little_memory_for_sampling_names_the_smaller_setting(setup: Setup) -> None:
    sampler = ModelSampler(setup.model, SamplingConfig(max_new_tokens=4), batch_size=6)
    setup.model.register_forward_hook(lambda *_: torch.empty(IMPOSSIBLE))
    with pytest.raises(NotEnoughMemoryError, match="answering 2 prompts at once.* set generation_"):
        sampler.sample([[5], [7]], seeds=[[0], [1]])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (NotEnoughMemoryError("explained"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_other_errors_pass_through(tiny_model: Qwen2ForCausalLM) -> None:
    with pytest.raises(RuntimeError, match="shapes"):  # noqa: SIM117
        with explaining_memory("here", model=tiny_model, advice="none"):
            raise RuntimeError("shapes")


def test_the_smaller_batch_keeps_what_the_objective_needs(setup: Setup) -> None:
    assert smaller_batch("n", 6, multiple=2, otherwise="-") == "set n: 2, now 6"
    settings = config(objective=ConsistencyConfig(), micro_batch_size=2)
    guard = FaultGuard(setup.model, settings)
    with pytest.raises(NotEnoughMemoryError, match="micro_batch_size is 2 already"):  # noqa: SIM117
        with guard.look(3):
            torch.empty(IMPOSSIBLE)


class Scripted:
    """A sampler that gives the same few answers over and over."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = answers

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        return [self.answers[i % len(self.answers)] for i in range(len(prompts))]

    def weights_changed(self) -> None:
        """Scripts do not change."""


def test_outcomes_are_counted(setup: Setup) -> None:
    answers = [
        Answer((1,), None, truncated=False),
        Answer((20, 21, 22, 23), None, truncated=True),
        Answer((20, 1), None, truncated=False),
        Answer((21, 1), None, truncated=False),
    ]
    assert [a.outcome for a in answers] == ["empty", "truncated", "complete", "complete"]
    trainer = DebiasTrainer(setup.model, setup.tokenizer, config(), sampler=Scripted(answers))
    result = trainer.fit(*setup.data)
    assert [(log.answers, log.truncated, log.empty) for log in result.history] == [(8, 2, 2)] * 4
    assert (result.kept.truncated, result.kept.empty) == (0.25, 0.25)
    outcomes = result.outcomes
    assert (outcomes.answers, outcomes.truncated, outcomes.empty) == (32, 8, 8)
    assert outcomes.too_long == 0


def test_a_pair_too_long_for_the_context_is_left_out_and_counted(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    train, dev = setup.data
    limit = setup.model.config.max_position_embeddings
    for row, words in ((train[0], limit - 3), (dev[1], limit - 4)):
        row["prompt"] = " ".join(["w1"] * words)
    with caplog.at_level(logging.WARNING):
        result = setup.trainer(max_steps=1).fit(train, dev)
    assert result.outcomes.too_long == 1, "prompt and answer together just fit in the second"
    assert "1 of 16 pairs of the training data do not fit" in caplog.text
    assert "'t0' would need 257" in caplog.text
    with pytest.raises(DataError, match="none is left. Set a smaller max_new_tokens"):
        setup.trainer(max_new_tokens=254).fit(train, dev)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_finish_and_says_how_to_go_on(
    setup: Setup, tmp_path: Path, number: signal.Signals
) -> None:
    setup.trainer().fit(*setup.data)
    expected = setup.weights()
    before = signal.getsignal(number)

    trainer = setup.trainer(checkpoint_every=50)
    in_step(trainer, 2, lambda: os.kill(os.getpid(), number))
    with stop_on_signals() as stop:  # noqa: SIM117
        with pytest.raises(InterruptedTraining, match=rf"after step 2.*{tmp_path}"):
            trainer.fit(*setup.data, checkpoints=tmp_path, should_stop=stop)
    assert stop.received is number
    assert signal.getsignal(number) is before
    setup.trainer(checkpoint_every=50).fit(*setup.data, checkpoints=tmp_path)
    assert same(setup.weights(), expected)


def test_a_second_signal_interrupts_at_once() -> None:
    with stop_on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_signals_need_the_main_thread() -> None:
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            with stop_on_signals():
                pass
        except ConfigError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread only" in str(errors[0])
