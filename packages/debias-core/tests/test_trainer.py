"""The trainer on a tiny random model, end to end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, GeeConfig, GroupGapConfig, TrainConfig
from debias_core.errors import DataError, ModelError, NonFiniteError
from debias_core.losses.terms import Terms
from debias_core.models.loading import load_model
from debias_core.recovery.weights import TrainedWeights
from debias_core.scoring.answers import ScoredRow
from debias_core.training.engine import Engine
from debias_core.training.grading import WrittenAnswer
from debias_core.training.heldout import DevEvaluation
from debias_core.training.progress import RunProgress, StepLog
from debias_core.training.statistics import GapEstimate
from debias_core.training.steps import GradientMaker
from debias_core.training.trainer import DebiasTrainer
from debias_core.training.update import learning_rate

Rows = Callable[..., list[dict[str, object]]]


def config(**changes: object) -> TrainConfig:
    base: dict[str, object] = {
        "max_steps": 4,
        "effective_batch_size": 8,
        "micro_batch_size": 4,
        "max_new_tokens": 6,
        "eval_every": 2,
        "learning_rate": 1e-3,
    }
    return TrainConfig(**{**base, **changes})  # type: ignore[arg-type]


def test_a_run_from_start_to_saved_model(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    events: list[StepLog | DevEvaluation] = []
    model = tiny_model.float()
    trainer = DebiasTrainer(model, tokenizer, config(objective=GroupGapConfig()))
    result = trainer.fit(
        make_rows(16), make_rows(8, prefix="d"), on_event=events.append, out=tmp_path / "m"
    )
    assert [e.step for e in events if isinstance(e, StepLog)] == [1, 2, 3, 4]
    assert [e.step for e in result.evaluations] == [0, 2, 4]
    assert result.evaluations[0].kl == pytest.approx(0.0, abs=1e-6)
    assert result.stop_reason == "max_steps"
    assert result.kept in result.evaluations
    saved, _ = load_model(tmp_path / "m")
    for name, parameter in saved.state_dict().items():
        assert torch.equal(parameter, model.state_dict()[name]), name
    assert not list(tmp_path.glob(".*")), "nothing temporary is left"


def narrow_look(step: int, gap: float, kl: float = 0.0) -> DevEvaluation:
    """A look whose interval is narrow."""
    found = GapEstimate(gap, gap - 0.001, gap + 0.001, 8, 8)
    return DevEvaluation(step, found, (1.0, 1.0), kl, 0.0, 0.0)


def test_a_look_inside_the_target_can_be_confirmed_before_the_next_regular_one() -> None:
    def looked(*inside: int, **changes: object) -> list[int]:
        """The steps of the looks of a run whose interval is inside at these steps."""
        settings = config(**{"max_steps": 20, "eval_every": 5, "confirm_after": 1, **changes})
        progress = RunProgress(settings, lambda _: None)
        weights = TrainedWeights(torch.nn.Linear(1, 1))
        for step in range(21):
            if step == 0 or progress.look_is_due(step):
                progress.add_look(narrow_look(step, 0.0 if step in inside else 0.5), weights)
            if progress.stop_reason is not None:
                break
        return [look.step for look in progress.looks]

    assert looked() == [0, 5, 10, 15, 20]
    assert looked(10, 11) == [0, 5, 10, 11]
    assert looked(10, 15, 16) == [0, 5, 10, 11, 15, 16]  # a look that did not hold
    assert looked(5, 6, 7, patience=3) == [0, 5, 6, 7]
    assert looked(10, 13, confirm_after=3) == [0, 5, 10, 13]
    assert looked(10, 15, confirm_after=9) == [0, 5, 10, 15]
    assert looked(10, 11, 15, confirm_after=None) == [0, 5, 10, 15]
    assert looked(10, 11, early_stopping=False) == [0, 5, 10, 11, 15, 20]


def test_a_look_inside_that_the_next_one_contradicts_is_not_kept_for_it() -> None:
    def kept(*looks: tuple[float, float], **changes: object) -> int:
        """The index of the look that is kept of these gaps and KLs, one a step."""
        settings = config(**{"max_steps": 20, "eval_every": 1, "patience": 9, **changes})
        progress = RunProgress(settings, lambda _: None)
        weights = TrainedWeights(torch.nn.Linear(1, 1))
        for step, (gap, kl) in enumerate(looks):
            progress.add_look(narrow_look(step, gap, kl), weights)
        return progress.kept[0].step

    inside, outside = 0.0, 0.5
    assert kept((outside, 0.0), (inside, 0.2), (inside, 0.1)) == 2
    assert kept((outside, 0.0), (inside, 0.1), (inside, 0.2)) == 1
    assert kept((inside, 0.1), (outside, 0.2), (inside, 0.3)) == 2
    assert kept((inside, 0.1), (outside, 0.2), (inside, 0.3), (inside, 0.2)) == 3
    assert kept((inside, 0.1), (outside, 0.2)) == 0  # by its bound, which is the smaller one
    assert kept((0.4, 0.1), (outside, 0.2), (0.3, 0.3)) == 2
    assert kept((inside, 0.1), (inside, 0.2), (outside, 0.3), early_stopping=False) == 2


def test_a_look_has_the_accuracy_that_a_grader_finds(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    seen: list[WrittenAnswer] = []

    def grader(answers: Sequence[WrittenAnswer]) -> list[bool | None]:
        seen.extend(answers)
        return [None if item.pair_id == "d0" else item.group == "male" for item in answers]

    settings = config(max_steps=1, dev_samples=2)
    trainer = DebiasTrainer(tiny_model.float(), tokenizer, settings, grader=grader)
    first, last = trainer.fit(make_rows(8), make_rows(4, prefix="d")).evaluations
    assert (first.accuracy, last.accuracy) == (0.5, 0.5)
    assert {(item.pair_id, item.group) for item in seen} == {
        (f"d{i}", group) for i in range(4) for group in ("female", "male")
    }
    assert len(seen) == 2 * 4 * 2 * 2  # looks, pairs, sides, samples
    ungraded = DebiasTrainer(tiny_model, tokenizer, settings)
    assert ungraded.fit(make_rows(8), make_rows(4, prefix="d")).kept.accuracy is None


def test_a_grader_that_leaves_answers_out_is_refused(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    trainer = DebiasTrainer(tiny_model.float(), tokenizer, config(), grader=lambda _: [True])
    with pytest.raises(DataError, match="1 verdicts on 16 answers"):
        trainer.fit(make_rows(16), make_rows(8, prefix="d"))


def test_the_kept_model_is_the_one_that_was_measured(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    model = tiny_model.float()
    trainer = DebiasTrainer(model, tokenizer, config(max_steps=6, learning_rate=3e-2))
    result = trainer.fit(make_rows(16), make_rows(8, prefix="d"))
    heldout_kl = result.kept.kl
    other = DebiasTrainer(model, tokenizer, config())
    other.reference = trainer.reference
    again = other.fit(make_rows(16), make_rows(8, prefix="d"))
    # the same weights, looked at under another step's seed: KL is of the same size, not of a
    # different model's
    assert again.evaluations[0].kl == pytest.approx(heldout_kl, rel=0.5, abs=1e-6)


def test_a_run_is_a_function_of_its_seed(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    state = {k: v.clone() for k, v in tiny_model.float().state_dict().items()}
    gaps = []
    for seed, micro in ((0, 4), (0, 2), (1, 4)):
        tiny_model.load_state_dict(state)
        trainer = DebiasTrainer(tiny_model, tokenizer, config(seed=seed, micro_batch_size=micro))
        gaps.append(trainer.fit(make_rows(16), make_rows(8, prefix="d")).evaluations[-1].gap.gap)
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-4), "micro-batch size never matters"
    assert gaps[0] != gaps[2]


def test_answers_of_like_lengths_are_scored_together(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[list[int]] = []
    accumulate, score = GradientMaker.accumulate, Engine.score

    def counted(self: GradientMaker, batch: Any, step: int) -> Any:
        steps.append([])
        return accumulate(self, batch, step)

    def scored(self: Engine, rows: Sequence[ScoredRow], **how: Any) -> Terms:
        if torch.is_grad_enabled():
            steps[-1] += [row.length for row in rows]
        return score(self, rows, **how)

    monkeypatch.setattr(GradientMaker, "accumulate", counted)
    monkeypatch.setattr(Engine, "score", scored)
    tiny_model.generation_config.eos_token_id = list(range(1, 9))
    settings = config(micro_batch_size=2, max_new_tokens=24)
    DebiasTrainer(tiny_model.float(), tokenizer, settings).fit(
        make_rows(16), make_rows(8, prefix="d")
    )
    assert len(steps) > 1
    assert all(lengths == sorted(lengths) for lengths in steps)
    assert any(len(set(lengths)) > 1 for lengths in steps)


def test_stops_at_the_target_and_says_so(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    trainer = DebiasTrainer(tiny_model.float(), tokenizer, config(target_gap=50.0, patience=2))
    result = trainer.fit(make_rows(16), make_rows(8, prefix="d"))
    assert result.stop_reason == "target"
    assert result.reached_target
    assert result.steps == 1
    assert result.best_step == 0, "all looks are inside; the least KL is the untouched model's"


def test_without_early_stopping_all_steps_are_run_and_the_last_model_kept(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    settings = config(objective=GeeConfig(), target_gap=50.0, early_stopping=False, max_steps=5)
    result = DebiasTrainer(tiny_model.float(), tokenizer, settings).fit(
        make_rows(16), make_rows(8, prefix="d")
    )
    assert (result.steps, result.best_step) == (5, 5)


def test_the_multiplier_follows_the_gap(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    settings = config(objective=ConstrainedConfig(eta=3.0))
    result = DebiasTrainer(tiny_model.float(), tokenizer, settings).fit(
        make_rows(16), make_rows(8, prefix="d")
    )
    expected = 0.0
    for log in result.history:
        expected += 3.0 * log.gap
        assert log.multiplier == pytest.approx(expected, abs=1e-5)
        assert log.kl is not None


def test_a_non_finite_gradient_leaves_the_weights_alone(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    model = tiny_model.float()
    trainer = DebiasTrainer(model, tokenizer, config(objective=GroupGapConfig()))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.lm_head.weight.register_hook(lambda grad: grad * math.nan)
    with pytest.raises(NonFiniteError, match="step 1: the gradient's norm is nan"):
        trainer.fit(make_rows(16), make_rows(8, prefix="d"))
    for name, parameter in model.state_dict().items():
        assert torch.equal(parameter, before[name]), name


def test_refusals(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    tmp_path: Path,
) -> None:
    trainer = DebiasTrainer(tiny_model.float(), tokenizer, config())
    with pytest.raises(DataError, match="16 clusters are in the training and in the held-out"):
        trainer.fit(make_rows(16), make_rows(16))
    with pytest.raises(DataError, match="the held-out data holds no pair"):
        trainer.fit(make_rows(16), [])
    with pytest.raises(DataError, match="has no male row"):
        trainer.fit([r for r in make_rows(4) if r["group"] == "female"], make_rows(8, prefix="d"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="pickled weights can run code"):
        load_model(tmp_path)
    with torch.no_grad():
        tiny_model.model.norm.weight[3] = math.inf
    with pytest.raises(ModelError, match="'model.norm.weight' holds values that are not finite"):
        DebiasTrainer(tiny_model, tokenizer, config())


def test_the_learning_rate_is_a_function_of_the_step() -> None:
    flat = config(schedule="constant", warmup_steps=2, learning_rate=1.0)
    assert [learning_rate(flat, s) for s in (1, 2, 3, 4)] == [0.5, 1.0, 1.0, 1.0]
    falling = config(schedule="cosine", max_steps=100, learning_rate=1.0)
    rates = [learning_rate(falling, s) for s in range(1, 101)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[50] == pytest.approx(0.55)
    assert 0.1 < rates[-1] < 0.101
