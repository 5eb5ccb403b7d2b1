"""What debias-eval is asked for each task, and which parts of the configuration that reads.

Plain values only: `plan` needs them for its keys and must not import what evaluates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from debias_cli.config.evaluate import (
    CodeTask,
    EntropyGapTask,
    LikelihoodTask,
    LiveCodeBenchTask,
    MathsTask,
    ProtocolByPrompt,
    Task,
    WritingTask,
    benchmark_name,
)
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain

GeneratedTask: TypeAlias = MathsTask | CodeTask | LiveCodeBenchTask | WritingTask


@dataclass(frozen=True, slots=True)
class TaskReads:
    """Which parts of the configuration beside its own entry a task's result depends on.

    Attributes:
        prompt: `model.prompt`.
        seed: `run.seed`.
        pairs: the pair table of the `data` section.
        sandbox: the sandbox fields of `evaluate`.
    """

    prompt: bool
    seed: bool
    pairs: bool
    sandbox: bool


def task_reads(task: Task) -> TaskReads:
    """What a task reads beside its own entry."""
    if isinstance(task, EntropyGapTask):
        return TaskReads(prompt=True, seed=True, pairs=True, sandbox=False)
    if isinstance(task, LikelihoodTask):
        return TaskReads(prompt=False, seed=False, pairs=False, sandbox=False)
    shown_as_given = isinstance(task, WritingTask) or task.kind in (
        "math_jsonl",
        "counterfactual_maths",
    )
    return TaskReads(
        prompt=task.protocol is None and shown_as_given,
        seed=task.samples is not None or task.temperature is not None,
        pairs=task.kind == "counterfactual_maths" and task.data is None,
        sandbox=isinstance(task, CodeTask | LiveCodeBenchTask),
    )


def task_request(task: Task, config: PipelineConfig) -> dict[str, Plain]:
    """Benchmark, limit and changes to its protocol; everything but where the data lies."""
    if isinstance(task, EntropyGapTask):
        changes: dict[str, Plain] = _prompt(config) | {
            "max_new_tokens": task.max_new_tokens,
            "sampling": {"n": task.samples, "seed": config.run.seed},
        }
        return {"task": "entropy_gap", "limit": task.pairs, "protocol": changes}
    protocol = _scoring(task) if isinstance(task, LikelihoodTask) else _changes(task, config)
    return {"task": benchmark_name(task), "limit": task.limit, "protocol": protocol}


def _scoring(task: LikelihoodTask) -> dict[str, Plain] | None:
    """Changes to a suite's protocol: none, or the chat template."""
    return {"chat_template": True} if task.chat_template else None


def _changes(task: GeneratedTask, config: PipelineConfig) -> dict[str, Plain]:
    """Changes to the benchmark's protocol; some have none of their own for the prompt."""
    changes: dict[str, Plain] = {}
    reads = task_reads(task)
    profile = _profile(task, config)
    if profile is not None:
        changes["profile"] = profile
    elif reads.prompt:
        changes |= _prompt(config)
        if isinstance(task, WritingTask):
            # Its prompts are begun texts: a template for problems would not fit around them.
            changes.pop("template")
    if reads.pairs:
        changes["split"] = "test"  # what nothing was trained or stopped on
    if task.max_new_tokens is not None:
        changes["max_new_tokens"] = task.max_new_tokens
    if reads.seed:
        sampling: dict[str, Plain] = {
            "n": task.samples,
            "temperature": task.temperature,
            "seed": config.run.seed,
        }
        changes["sampling"] = {key: value for key, value in sampling.items() if value is not None}
    return changes


def _profile(task: GeneratedTask, config: PipelineConfig) -> str | None:
    """The profile that is asked for; of two, the one for how the model is prompted."""
    if isinstance(task.protocol, ProtocolByPrompt):
        return task.protocol.chat if config.model.prompt.chat_template else task.protocol.plain
    return task.protocol


def _prompt(config: PipelineConfig) -> dict[str, Plain]:
    prompt = config.model.prompt
    return {
        "template": prompt.template,
        "chat_template": prompt.chat_template,
        "system": prompt.system,
    }
