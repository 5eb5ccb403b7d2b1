"""Stages `train-*`: one objective under one seed, from the original weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from debias_cli.config.objectives import Objective
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.errors import InterruptedRunError
from debias_cli.rundir.files import write_json, write_text
from debias_cli.stages.context import StageContext, StopSignal
from debias_cli.stages.data import PAIRS_NAME
from debias_cli.stages.grading import grader_of
from debias_cli.stages.graph import TrainingRun
from debias_cli.stages.models import model_folder, silence_loading
from debias_cli.stages.processes import Order, call_helpers
from debias_core.config import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    LoraConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
    PluginConfig,
    PromptFormat,
    TrainConfig,
)
from debias_core.errors import InterruptedTraining

if TYPE_CHECKING:
    from debias_core.training.progress import EventHandler, TrainResult

MODEL_NAME = "model"
CHECKPOINTS_NAME = "checkpoints"
SUMMARY_NAME = "training.json"

_OBJECTIVES: dict[str, Callable[..., ObjectiveConfig]] = {
    "group_gap": GroupGapConfig,
    "gee": GeeConfig,
    "pair_gap": PairGapConfig,
    "direct_gap": DirectGapConfig,
    "constrained": ConstrainedConfig,
    "em": EmConfig,
    "placebo": PlaceboConfig,
    "cda": CdaConfig,
    "consistency": ConsistencyConfig,
    "plugin": PluginConfig,
}


class TrainingSummary(BaseModel):
    """What `training.json` holds: how a training went, for the comparison and the report.

    Attributes:
        seconds: of the whole training, looks included.
        seconds_to_target: until the held-out gap was inside the target; null if never.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    label: str
    objective: str
    seed: int
    main: bool
    steps: int
    best_step: int
    stop_reason: str
    reached_target: bool
    seconds: float
    seconds_to_target: float | None


def train_config(config: PipelineConfig, run: TrainingRun) -> TrainConfig:
    """The settings of one training, as debias-core takes them."""
    assert config.train is not None
    not_core = {"objective", "compare_with", "seeds", "lora"}
    fields: dict[str, Plain] = config.train.model_dump(exclude=not_core)
    lora, model = config.train.lora, config.model
    return TrainConfig(
        **{**fields, **run.overrides},  # type: ignore[arg-type] # fields of the same names; tested
        objective=objective_config(run.objective),
        lora=None if lora is None else LoraConfig(**lora.model_dump()),
        seed=run.seed,
        dtype=model.dtype,
        device=model.device,
        prompt=PromptFormat(**model.prompt.model_dump()),
    )


def objective_config(objective: Objective) -> ObjectiveConfig:
    """The objective, as debias-core takes it."""
    return _OBJECTIVES[objective.kind](**objective.model_dump(exclude={"kind"}))


def run_training(context: StageContext) -> None:
    """Trains, and leaves the kept model, the summary, every step and every look."""
    from debias_cli.stages.watching import Watcher  # noqa: PLC0415 - torch

    run = context.stage.training
    assert run is not None
    if (context.out / SUMMARY_NAME).is_file():
        return  # an earlier run was stopped after the last file, and before the folder's name
    pairs = context.result_of("data") / PAIRS_NAME
    order = Order(
        run=run.name, pairs=pairs.resolve(), out=context.out.resolve(), config=context.config
    )
    call_helpers(context.config, order)
    max_steps = train_config(context.config, run).max_steps
    watcher = Watcher(context, max_steps=max_steps)
    try:
        result = train(context.config, run, order, stop=context.stop, on_event=watcher)
    except InterruptedTraining as error:
        raise InterruptedRunError(str(error)) from error
    _write_result(context, run, result)
    # three times what is trained, for resuming only
    shutil.rmtree(context.out / CHECKPOINTS_NAME, ignore_errors=True)


def train(
    config: PipelineConfig,
    run: TrainingRun,
    order: Order,
    *,
    stop: StopSignal,
    on_event: EventHandler | None = None,
) -> TrainResult:
    """Trains in this process, together with the others if there are any; returns what was done."""
    from debias_core.models.loading import load_model  # noqa: PLC0415 - torch
    from debias_core.training.trainer import DebiasTrainer  # noqa: PLC0415 - torch
    from debias_data import read_pairs  # noqa: PLC0415 - pyarrow

    settings, source = train_config(config, run), config.model
    silence_loading()
    table = read_pairs(order.pairs)
    model, tokenizer = load_model(
        model_folder(source),
        dtype=source.dtype,
        device=source.device,
        trust_remote_code=source.trust_remote_code,
    )
    dev = list(table.select(split="dev").rows())
    with stop.finishing_steps():
        trainer = DebiasTrainer(model, tokenizer, settings, grader=grader_of(dev))
        return trainer.fit(
            table.select(split="train").rows(),
            dev,
            on_event=on_event,
            out=order.out / MODEL_NAME,
            checkpoints=order.out / CHECKPOINTS_NAME,
            should_stop=lambda: stop.requested,
        )


def _write_result(context: StageContext, run: TrainingRun, result: TrainResult) -> None:
    summary = TrainingSummary(
        label=run.label,
        objective=run.objective.kind,
        seed=run.seed,
        main=run.main,
        steps=result.steps,
        best_step=result.best_step,
        stop_reason=result.stop_reason,
        reached_target=result.reached_target,
        seconds=result.seconds,
        seconds_to_target=result.seconds_to_target,
    )
    for name, rows in (("steps.jsonl", result.history), ("looks.jsonl", result.evaluations)):
        write_text(context.out / name, "".join(json.dumps(asdict(row)) + "\n" for row in rows))
    write_json(context.out / SUMMARY_NAME, summary.model_dump() | {"kept": asdict(result.kept)})
