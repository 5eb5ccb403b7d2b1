"""The settings of one training run: objective, steps, sampling, stopping, prompts, precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from debias_core.config.checks import (
    CompileHead,
    check_compile_head,
    check_not_negative,
    check_positive,
    require,
)
from debias_core.config.objectives import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    ObjectiveConfig,
)

GROUPS: tuple[str, str] = ("female", "male")
"""The declared groups; a gap is the first minus the second."""

TRACKERS: tuple[str, ...] = ("tensorboard", "wandb", "trackio")
"""What a run's log can be sent to, through accelerate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFormat:
    """How a bare problem text becomes what the model reads.

    Attributes:
        template: text with the field `{prompt}`.
        chat_template: whether the tokenizer's chat template is put around it.
        system: system message; needs `chat_template`.
    """

    template: str = "{prompt}"
    chat_template: bool = False
    system: str | None = None

    def __post_init__(self) -> None:
        require("{prompt}" in self.template, "prompt.template must contain '{prompt}'")
        require(
            self.system is None or self.chat_template,
            "prompt.system needs prompt.chat_template: a plain prompt has no system message",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraConfig:
    """Trains a low-rank adapter in place of all the weights (Hu et al. 2021); needs `peft`.

    Attributes:
        rank: of the update of every target.
        alpha: the update is scaled by `alpha / rank`.
        dropout: must stay 0: an entropy is a property of the model that will be used.
        target_modules: `all-linear` (every linear layer but the output layer), or the names of
            modules.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        check_positive(self, "rank", "alpha")
        require(
            self.dropout == 0,
            f"lora.dropout must be 0, not {self.dropout!r}: entropies are measured on the model "
            "that will be used, which has none",
        )
        named = not isinstance(self.target_modules, str)
        require(
            bool(self.target_modules) if named else self.target_modules == "all-linear",
            "lora.target_modules must be 'all-linear' or a list of names, not "
            f"{self.target_modules!r}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run.

    Attributes:
        objective: what is minimised.
        groups: the declared groups, in the order of the sign: with two, the gap is the first minus
            the second; with more, gaps are taken against the mean of the group means.
        score_function: adds the score-function term to the pathwise gradient: how the weights
            change which answers are drawn, with a leave-one-out baseline.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        max_grad_norm: the gradient is scaled down to this norm.
        warmup_steps: steps over which the learning rate rises linearly.
        schedule: of the learning rate after that: `constant`, or `cosine` down to a tenth at
            `max_steps`.
        max_steps: optimiser steps at most.
        effective_batch_size: prompts an optimiser step over all processes; even, both sides of
            every pair are always in one batch.
        micro_batch_size: prompts scored at once on one process. Never changes the gradient.
        generation_batch_size: prompts answered at once where no gradient is taken.
        samples_per_prompt: answers sampled for every prompt (K).
        max_new_tokens: length limit of an answer; an answer that meets it is truncated.
        temperature: of sampling.
        entropy_temperature: of the entropy that is trained on; part of the metric's name.
        couple_samples: both sides of a pair are sampled with the same random numbers. The gap stays
            what it is, and its variance falls as the two sides come to answer alike.
        target_gap: nats; training stops when the whole interval lies inside +-target_gap.
        eval_every: steps between looks at the held-out pairs.
        patience: looks in a row that must lie inside.
        confirm_after: steps from a look inside to the next one, where that comes sooner, so that a
            run that has arrived is not trained on until the regular look; None waits for it. Costs
            a little of the guarantee: false stops in `docs/statistics.md`.
        early_stopping: stop at the target; otherwise all `max_steps` are run and the last model
            is kept.
        dev_samples: answers a held-out prompt and look.
        kl_budget: nats per token; training stops when the held-out KL exceeds it.
        checkpoint_every: steps between checkpoints, where a folder for them is given.
        seed: of everything that is random.
        dtype: of the weights. bfloat16 would round most updates away: such weights are trained
            and saved in float32, while layers compute in bfloat16. float16 is for weights under an
            adapter only.
        lora: an adapter that is trained in place of the weights; None trains the weights.
        mixed_precision: `bf16` computes all but the output layer in bfloat16 (autocast) where the
            weights are float32; entropies are float32 whatever it is.
        gradient_checkpointing: layers are computed again in the backward pass instead of kept;
            less memory, about a third more time, the same gradient.
        compile_head: what `torch.compile` makes of the output layer's passes: `none`; `tiles`,
            sooner done on a CPU in as little memory; `logits`, sooner still, for memory of a
            micro-batch's logits two to four times. Needs a C++ compiler on a CPU, Triton on a GPU.
        trackers: where the log of the run goes beside the events: `tensorboard`, `wandb`,
            `trackio`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        prompt: how texts are shown to the model.
    """

    objective: ObjectiveConfig = field(default_factory=ConstrainedConfig)
    groups: tuple[str, ...] = GROUPS
    score_function: bool = False
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    warmup_steps: int = 0
    schedule: Literal["constant", "cosine"] = "cosine"
    max_steps: int = 50
    effective_batch_size: int = 32
    micro_batch_size: int = 32
    generation_batch_size: int = 128
    samples_per_prompt: int = 1
    max_new_tokens: int = 128
    temperature: float = 1.0
    entropy_temperature: float = 1.0
    couple_samples: bool = False
    target_gap: float = 0.02
    eval_every: int = 5
    patience: int = 2
    confirm_after: int | None = 1
    early_stopping: bool = True
    dev_samples: int = 1
    kl_budget: float | None = None
    checkpoint_every: int = 10
    seed: int = 0
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    lora: LoraConfig | None = None
    mixed_precision: Literal["no", "bf16"] = "no"
    gradient_checkpointing: bool = False
    compile_head: CompileHead = "none"
    trackers: tuple[str, ...] = ()
    device: str = "auto"
    prompt: PromptFormat = field(default_factory=PromptFormat)

    def __post_init__(self) -> None:
        check_positive(
            self,
            "learning_rate",
            "max_grad_norm",
            "max_steps",
            "effective_batch_size",
            "micro_batch_size",
            "generation_batch_size",
            "samples_per_prompt",
            "max_new_tokens",
            "temperature",
            "entropy_temperature",
            "target_gap",
            "eval_every",
            "patience",
            "dev_samples",
            "checkpoint_every",
        )
        if self.confirm_after is not None:
            check_positive(self, "confirm_after")
        check_not_negative(self, "weight_decay", "warmup_steps", "seed")
        require(
            len(set(self.groups)) == len(self.groups) >= 2,
            f"groups must be two or more different names, not {list(self.groups)}",
        )
        require(
            self.effective_batch_size % len(self.groups) == 0,
            "effective_batch_size counts prompts, and all sides of a pair belong to one batch: "
            f"{self.effective_batch_size} is not a multiple of {len(self.groups)}",
        )
        require(
            self.lora is not None or self.dtype != "float16",
            "weights in float16 cannot be trained; set dtype to bfloat16 or float32, or train an "
            "adapter (lora)",
        )
        require(
            self.mixed_precision in {"no", "bf16"},
            f"mixed_precision must be 'no' or 'bf16', not {self.mixed_precision!r}",
        )
        check_compile_head(self.compile_head)
        unknown = [name for name in self.trackers if name not in TRACKERS]
        require(not unknown, f"trackers must be of {list(TRACKERS)}, not {unknown}")
        require(
            not (self.score_function and isinstance(self.objective, CdaConfig)),
            "score_function needs sampled answers; cda is trained on reference answers",
        )
        require(
            not isinstance(self.objective, ConsistencyConfig)
            or self.micro_batch_size % len(self.groups) == 0,
            "consistency compares the sides of a pair within a micro-batch: micro_batch_size must "
            f"be a multiple of {len(self.groups)}, not {self.micro_batch_size}",
        )
        if self.kl_budget is not None:
            check_positive(self, "kl_budget")
