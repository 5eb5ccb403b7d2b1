"""The configuration says what debias-core takes: same fields, same defaults."""

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import get_args

import pytest

from debias_cli.config.load import parse_config
from debias_cli.config.model import PromptSection
from debias_cli.config.objectives import Objective
from debias_cli.config.train import LoraSection, TrainSection
from debias_cli.stages.graph import training_runs
from debias_cli.stages.training import objective_config, train_config
from debias_core.config import (
    TRACKERS,
    ConstrainedConfig,
    LoraConfig,
    ObjectiveConfig,
    PromptFormat,
    TrainConfig,
)

OBJECTIVES = {cls.model_fields["kind"].annotation: cls for cls in get_args(get_args(Objective)[0])}
BY_KIND = {get_args(kind)[0]: cls for kind, cls in OBJECTIVES.items()}


def test_every_objective_of_core_can_be_said() -> None:
    assert set(BY_KIND) == {cls.kind for cls in get_args(ObjectiveConfig)}


@pytest.mark.parametrize("core", get_args(ObjectiveConfig), ids=lambda cls: cls.kind)
def test_objectives_have_the_same_fields_and_defaults(core: type) -> None:
    ours = BY_KIND[core.kind]  # type: ignore[attr-defined] # every objective config has it
    required = {field.name for field in fields(core) if _has_no_default(field)}
    assert required == {name for name, f in ours.model_fields.items() if f.is_required()} - {"kind"}
    given = dict.fromkeys(required, "x")
    assert {field.name for field in fields(core)} == set(ours.model_fields) - {"kind"}
    assert objective_config(ours(kind=core.kind, **given)) == core(**given)  # type: ignore[attr-defined]


def _has_no_default(field: Field[object]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def test_training_has_the_same_fields_and_defaults() -> None:
    # a pair table holds two groups
    elsewhere = {"objective", "groups", "seed", "dtype", "device", "prompt"}
    core = {
        field.name: field.default for field in fields(TrainConfig) if field.name not in elsewhere
    }
    assert MISSING not in core.values()
    ours = {
        name: field.default
        for name, field in TrainSection.model_fields.items()
        if name not in {"objective", "compare_with", "seeds"}
    }
    assert ours == core


def test_adapters_have_the_same_fields_and_defaults() -> None:
    assert {field.name: field.default for field in fields(LoraConfig)} == {
        name: field.default for name, field in LoraSection.model_fields.items()
    }
    assert get_args(TrainSection.model_fields["lora"].annotation)[0] is LoraSection
    trackers = get_args(get_args(TrainSection.model_fields["trackers"].annotation)[0])
    assert trackers == TRACKERS


def test_prompts_have_the_same_fields_and_defaults() -> None:
    assert PromptFormat(**PromptSection().model_dump()) == PromptFormat()


def test_what_core_is_given() -> None:
    text = """
model: {path: testbed, dtype: bfloat16, device: cpu, prompt: {template: "Q {prompt}"}}
data: {sources: [{kind: synthetic}]}
train:
  objective: {kind: constrained, rho: 5}
  compare_with:
    - {objective: {kind: gee, lambda: 2}, max_steps: 9, early_stopping: false, name: older}
  max_steps: 4
  learning_rate: 1e-5
  seeds: [3]
  lora: {rank: 4, target_modules: [q_proj, v_proj]}
  mixed_precision: bf16
  trackers: [tensorboard]
"""
    config = parse_config(text, source="p", base=Path("/")).config
    main, other = (train_config(config, run) for run in training_runs(config.train))
    assert main == TrainConfig(
        objective=ConstrainedConfig(rho=5),
        max_steps=4,
        learning_rate=1e-5,
        lora=LoraConfig(rank=4, target_modules=("q_proj", "v_proj")),
        mixed_precision="bf16",
        trackers=("tensorboard",),
        seed=3,
        dtype="bfloat16",
        device="cpu",
        prompt=PromptFormat(template="Q {prompt}"),
    )
    assert other.objective.kind == "gee"
    assert (other.max_steps, other.early_stopping, other.learning_rate) == (9, False, 1e-5)
    assert [run.name for run in training_runs(config.train)] == ["constrained-s3", "older-s3"]
