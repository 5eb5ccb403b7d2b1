"""The `model` section: which weights, and what a problem text becomes before they read it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from debias_cli.config.base import Section

TESTBED = "testbed"


class PromptSection(Section):
    """How a bare problem text becomes what the model reads; the same in training and evaluation."""

    template: str = Field(
        default="{prompt}",
        description="Text around a problem; must contain {prompt}, which stands for the problem.",
    )
    chat_template: bool = Field(
        default=False,
        description="Put the tokenizer's chat template around it (true for instruct models).",
    )
    system: str | None = Field(
        default=None,
        description="System message of the chat template; needs chat_template: true.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "{prompt}" not in self.template:
            msg = "template must contain {prompt}"
            raise ValueError(msg)
        if self.system is not None and not self.chat_template:
            msg = "system needs chat_template: true; a plain prompt has no system message"
            raise ValueError(msg)
        return self


class ModelSection(Section):
    """The model that is measured and trained."""

    path: str = Field(
        min_length=1,
        max_length=1000,
        description=(
            "'testbed' (the embedded model), a folder in the hub's layout (safetensors; relative "
            "to this file) or a hub id such as Qwen/Qwen2.5-Math-1.5B-Instruct."
        ),
    )
    revision: str | None = Field(
        default=None,
        max_length=200,
        description="Branch, tag or commit of a hub id; pin a commit to make a run repeatable.",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description=(
            "Type of the weights (bfloat16 ones are float32 while they are trained); entropies are "
            "float32 whatever it is."
        ),
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$",
        description="auto (a GPU where there is one), cpu, mps, cuda or cuda:N.",
    )
    trust_remote_code: bool = Field(
        default=False,
        description="Run Python code that comes with the model; only for sources you trust.",
    )
    prompt: PromptSection = Field(
        default_factory=PromptSection,
        description="How a problem text is shown to the model.",
    )
