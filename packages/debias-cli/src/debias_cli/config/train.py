"""The `train` section: the objective, what it is compared with, and the settings of the loop."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from debias_cli.config.base import Section
from debias_cli.config.objectives import Constrained, Objective

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Comparison(Section):
    """An objective that is trained beside the main one; fields left out are the main run's."""

    objective: Objective = Field(description="What this run minimises.")
    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$",
        description="Name in folders and in the report; default: the objective's kind.",
    )
    max_steps: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Optimiser steps at most, for this run."
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="Learning rate of AdamW, for this run."
    )
    eval_every: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Steps between looks at the held-out pairs, for this run.",
    )
    early_stopping: bool | None = Field(
        default=None,
        description="false: run to max_steps and keep the last model, whatever it became.",
    )

    @property
    def label(self) -> str:
        """The name in folders and tables."""
        return self.name or self.objective.kind


class LoraSection(Section):
    """A low-rank adapter that is trained in place of all the weights; needs the extra `lora`."""

    rank: int = Field(default=16, ge=1, le=65_536, description="Rank of the update of a target.")
    alpha: int = Field(
        default=32, ge=1, le=1_000_000, description="The update is scaled by alpha / rank."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        le=0,
        description="Must stay 0: entropies are measured on the model that will be used.",
    )
    target_modules: Literal["all-linear"] | tuple[str, ...] = Field(
        default="all-linear",
        description="all-linear (all but the output layer), or a list of names of modules.",
    )


class TrainSection(Section):
    """How the model is trained; every batch holds both sides of every pair."""

    objective: Objective = Field(
        default_factory=lambda: Constrained(kind="constrained"),
        description="What is minimised; constrained is the recommended one.",
    )
    compare_with: tuple[Comparison, ...] = Field(
        default=(),
        max_length=20,
        description="Objectives trained beside it from the same start and shown as they are.",
    )
    seeds: tuple[Seed, ...] = Field(
        default=(0,),
        min_length=1,
        max_length=100,
        description="One run of every objective per seed.",
    )
    score_function: bool = Field(
        default=False,
        description="Also follow how the weights change which answers are drawn; noisier.",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, le=1, description="Learning rate of AdamW, per step."
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(
        default=1.0, gt=0, le=1e6, description="The gradient is scaled down to this norm."
    )
    warmup_steps: int = Field(
        default=0, ge=0, le=1_000_000, description="Steps of linearly rising learning rate."
    )
    schedule: Literal["constant", "cosine"] = Field(
        default="cosine",
        description="Learning rate after the warmup; cosine falls to a tenth at max_steps.",
    )
    max_steps: int = Field(default=50, ge=1, le=1_000_000, description="Optimiser steps at most.")
    effective_batch_size: int = Field(
        default=32,
        ge=2,
        le=1_000_000,
        multiple_of=2,
        description="Prompts an optimiser step, over all processes; even, two a pair.",
    )
    micro_batch_size: int = Field(
        default=32,
        ge=1,
        le=1_000_000,
        description="Prompts scored at once on one process; memory only, never the gradient.",
    )
    generation_batch_size: int = Field(
        default=128,
        ge=1,
        le=1_000_000,
        description="Prompts answered at once where no gradient is taken; memory and speed only.",
    )
    samples_per_prompt: int = Field(
        default=1, ge=1, le=1000, description="Answers sampled a prompt and step."
    )
    max_new_tokens: int = Field(
        default=128, ge=1, le=131_072, description="Length limit of an answer, tokens."
    )
    temperature: float = Field(
        default=1.0, gt=0, le=10, description="Temperature at which answers are sampled."
    )
    entropy_temperature: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="Temperature of the entropy that is trained on; part of the metric's name.",
    )
    couple_samples: bool = Field(
        default=False,
        description="Sample both sides of a pair with the same random numbers.",
    )
    target_gap: float = Field(
        default=0.02,
        gt=0,
        le=10,
        description="Nats; stop when the 95% interval of the held-out gap lies inside ±this.",
    )
    eval_every: int = Field(
        default=5, ge=1, le=1_000_000, description="Steps between looks at the held-out pairs."
    )
    patience: int = Field(
        default=2, ge=1, le=1000, description="Looks in a row that must lie inside ±target_gap."
    )
    confirm_after: int | None = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description=(
            "Steps from a look inside ±target_gap to the next one, which ends a run that has "
            "arrived sooner; null: the next regular look."
        ),
    )
    early_stopping: bool = Field(
        default=True,
        description="false: run to max_steps and keep the last model, whatever it became.",
    )
    dev_samples: int = Field(
        default=1, ge=1, le=1000, description="Answers a held-out prompt and look."
    )
    kl_budget: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="Nats an answer token; stop when the held-out KL exceeds it. null: no budget.",
    )

    checkpoint_every: int = Field(
        default=10, ge=1, le=1_000_000, description="Steps between checkpoints."
    )
    lora: LoraSection | None = Field(
        default=None,
        description="Train an adapter in place of the weights; null: train the weights.",
    )
    mixed_precision: Literal["no", "bf16"] = Field(
        default="no",
        description="bf16: layers compute in bfloat16 over float32 weights; entropies never do.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Compute layers again in the backward pass; less memory, more time.",
    )
    compile_head: Literal["none", "tiles", "logits"] = Field(
        default="none",
        description="What torch.compile makes of the output layer's passes. tiles: sooner done on "
        "a CPU, in as little memory. logits: sooner still, for memory of a micro-batch's logits "
        "two to four times. Both need a C++ compiler there.",
    )
    trackers: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = Field(
        default=(),
        max_length=3,
        description="Where the log goes beside the run folder: tensorboard, wandb, trackio.",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        labels = Counter([self.objective.kind, *(item.label for item in self.compare_with)])
        twice = sorted(label for label, count in labels.items() if count > 1)
        if twice:
            msg = (
                f"two runs would be called {', '.join(map(repr, twice))}; "
                "give compare_with entries a name of their own"
            )
            raise ValueError(msg)
        if len(set(self.seeds)) != len(self.seeds):
            msg = f"seeds holds a seed twice: {list(self.seeds)}"
            raise ValueError(msg)
        return self
