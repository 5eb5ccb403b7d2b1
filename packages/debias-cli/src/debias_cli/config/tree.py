"""The whole configuration: one strict tree, from which validation, schema and docs follow."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from debias_cli.config.base import Section
from debias_cli.config.evaluate import EntropyGapTask, EvaluateSection
from debias_cli.config.model import ModelSection
from debias_cli.config.run import ReportSection, RunSection
from debias_cli.config.sweep import Sweep
from debias_cli.config.train import TrainSection
from debias_data.config import BuildConfig


class PipelineConfig(Section):
    """A run of debias-cli: data, baseline evaluation, training, evaluation, comparison, report."""

    run: RunSection = Field(
        default_factory=RunSection, description="Name, folder and success of the run."
    )
    model: ModelSection = Field(description="The model that is measured and trained.")
    data: BuildConfig | None = Field(
        default=None,
        description="Prompt pairs; needed for training and for the task entropy_gap.",
    )
    train: TrainSection | None = Field(
        default=None, description="Training; leave it out to evaluate only."
    )
    evaluate: EvaluateSection | None = Field(
        default=None, description="Benchmarks before and after; leave it out to train only."
    )
    report: ReportSection = Field(default_factory=ReportSection, description="The report.")
    sweep: Sweep | None = Field(
        default=None,
        description="Runs the file once for every point of a search over fields; null: as it is.",
    )

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        tasks = self.evaluate.tasks if self.evaluate else ()
        if self.data is None and self.train is not None:
            msg = "section 'train' needs section 'data': there are no pairs to train on"
            raise ValueError(msg)
        if self.data is None and any(isinstance(task, EntropyGapTask) for task in tasks):
            msg = "task 'entropy_gap' needs section 'data': there are no pairs to measure"
            raise ValueError(msg)
        if self.data is None and self.evaluate is None:
            msg = "nothing to do: give at least one of the sections 'data' and 'evaluate'"
            raise ValueError(msg)
        if self.train is not None and self.train.lora is None and self.model.dtype == "float16":
            msg = "float16 weights cannot be trained: set model.dtype: bfloat16, or give train.lora"
            raise ValueError(msg)
        if self.sweep is not None and self.train is None:
            msg = "section 'sweep' needs section 'train': points are compared by held-out pairs"
            raise ValueError(msg)
        return self
