"""Every objective drives the trainer; what each of them needs, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import (
    CdaConfig,
    ConstrainedConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PlaceboConfig,
    PluginConfig,
    TrainConfig,
)
from debias_core.errors import ConfigError, DataError
from debias_core.pairs.encoding import encode_pairs
from debias_core.pairs.reading import PromptPair
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]


def config(objective: ObjectiveConfig, **changes: object) -> TrainConfig:
    base: dict[str, object] = {
        "max_steps": 2,
        "effective_batch_size": 12,
        "micro_batch_size": 6,
        "max_new_tokens": 4,
        "eval_every": 2,
    }
    return TrainConfig(objective=objective, **{**base, **changes})  # type: ignore[arg-type]


def with_references(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**row, "reference": f"w{i % 40} w{i % 7}"} for i, row in enumerate(rows)]


@pytest.mark.parametrize("score_function", [False, True], ids=["pathwise", "score"])
@pytest.mark.parametrize(
    "objective",
    [c for c in get_args(ObjectiveConfig) if c is not PluginConfig],
    ids=lambda c: c.kind,
)
def test_every_objective_trains(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    objective: type[ObjectiveConfig],
    score_function: bool,
) -> None:
    if objective is CdaConfig and score_function:
        pytest.skip("nothing is sampled")
    before = [p.detach().clone() for p in tiny_model.parameters()]
    settings = config(objective(), score_function=score_function, early_stopping=False)
    trainer = DebiasTrainer(tiny_model, tokenizer, settings)
    result = trainer.fit(with_references(make_rows(12)), make_rows(4, prefix="d"))
    assert result.steps == 2
    changed = [not old.equal(new) for old, new in zip(before, tiny_model.parameters(), strict=True)]
    assert any(changed)


def test_three_groups(tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    groups = {"a": "she", "b": "he", "c": "w3"}
    rows = [
        {"pair_id": f"{i}", "cluster_id": f"{i}", "group": name, "prompt": f"w{i} {word} w{i + 1}"}
        for i in range(16)
        for name, word in groups.items()
    ]
    settings = config(ConstrainedConfig(), groups=tuple(groups), early_stopping=False)
    result = DebiasTrainer(tiny_model, tokenizer, settings).fit(rows[:36], rows[36:])
    looked = result.evaluations[0]
    assert len(looked.entropies) == 3
    gaps = [h - sum(looked.entropies) / 3 for h in looked.entropies]
    assert any(looked.gap.gap == pytest.approx(gap) for gap in gaps)
    with pytest.raises(DataError, match=r"group 'c' is not one of \['female', 'male'\]"):
        DebiasTrainer(tiny_model, tokenizer, config(ConstrainedConfig())).fit(rows[2:], rows)


def test_cda_needs_reference_answers(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    trainer = DebiasTrainer(tiny_model, tokenizer, config(CdaConfig()))
    with pytest.raises(DataError, match="pair 't0' has no reference answer to fine-tune on"):
        trainer.fit(make_rows(12), make_rows(4, prefix="d"))


def test_a_reference_follows_the_prompt_and_ends(tokenizer: PreTrainedTokenizerFast) -> None:
    pair = PromptPair("p", "c", ("w1 she", "w1 he"), ("w7 w9", "w8"))
    (encoded,) = encode_pairs(tokenizer, [pair], TrainConfig().prompt, references=True)
    assert [tokenizer.decode(ids) for ids in encoded.references] == ["w7 w9 <eos>", "w8 <eos>"]


def test_cda_learns_its_references(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    rows = [{**row, "reference": "w7"} for row in make_rows(12)]
    settings = config(CdaConfig(), max_steps=30, learning_rate=1e-2, early_stopping=False)
    result = DebiasTrainer(tiny_model, tokenizer, settings).fit(rows, make_rows(4, prefix="d"))
    assert result.history[-1].loss < 0.1 < result.history[0].loss
    assert all(step.tokens == 0 for step in result.history), "nothing was sampled"


def test_a_placebo_is_told_other_labels(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    """The labels of about half the pairs are swapped, the same ones whenever they come."""
    rows = make_rows(64)
    found = {}
    for objective in (GroupGapConfig(), PlaceboConfig(), PlaceboConfig()):
        trainer = DebiasTrainer(
            tiny_model, tokenizer, config(objective, effective_batch_size=128, micro_batch_size=32)
        )
        pairs = trainer._reader.read(rows, name="rows").pairs
        told = [trainer._gradient._told(pair) for pair in pairs]
        found.setdefault(objective.kind, []).append([list(sides) for sides in told])
    assert found["group_gap"][0] == [[0, 1]] * 64
    first, second = found["placebo"]
    assert first == second
    assert 20 <= sum(sides == [1, 0] for sides in first) <= 44


PLUGIN = """
from debias_core.objectives import signed_gap

def power_gap(entropies, groups, *, pairs, power=3):
    assert pairs.shape == groups.shape
    return signed_gap(entropies, groups).abs() ** power
"""


@pytest.fixture
def foreign_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with one objective that loads and one that does not."""
    (tmp_path / "foreign_losses.py").write_text(PLUGIN)
    info = tmp_path / "foreign_losses-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-losses\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[debias_core.objectives]\n"
        "power_gap = foreign_losses:power_gap\nbroken = foreign_losses:missing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("foreign_package")
def test_an_objective_of_another_package(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Rows,
    caplog: pytest.LogCaptureFixture,
) -> None:
    losses = []
    for objective in (PluginConfig(name="power_gap", options={"power": 2}), GroupGapConfig()):
        trainer = DebiasTrainer(
            copy.deepcopy(tiny_model), tokenizer, config(objective, early_stopping=False)
        )
        result = trainer.fit(make_rows(12), make_rows(4, prefix="d"))
        losses.append([step.loss for step in result.history])
    assert losses[0] == pytest.approx(losses[1])
    assert "the objective 'broken' (foreign_losses:missing) cannot be loaded" in caplog.text
    with pytest.raises(ConfigError, match="did you mean 'power_gap'"):
        DebiasTrainer(tiny_model, tokenizer, config(PluginConfig(name="power_gapp")))
