"""Stages `baseline` and `eval-*`: the same benchmarks on the original and on a trained model."""

from __future__ import annotations

from pathlib import Path

from debias_cli.config.evaluate import (
    CodeTask,
    EntropyGapTask,
    EvaluateSection,
    LikelihoodTask,
    LiveCodeBenchTask,
    MathsTask,
    Task,
    WritingTask,
    benchmark_name,
    task_label,
)
from debias_cli.config.tree import PipelineConfig
from debias_cli.resources import is_testbed_data, testbed_file
from debias_cli.stages.context import StageContext
from debias_cli.stages.data import PAIRS_NAME
from debias_cli.stages.models import model_folder, silence_loading
from debias_cli.stages.training import MODEL_NAME
from debias_eval.backends.base import BackendSettings
from debias_eval.evaluation import EvalSettings, TaskSpec, evaluate
from debias_eval.results import BenchmarkResult
from debias_eval.tasks.base import GradeSettings


def run_evaluation(context: StageContext) -> None:
    """Evaluates the original model, or the one that the stage's training left."""
    section = context.config.evaluate
    assert section is not None
    training = context.stage.training
    if training is None:
        model = model_folder(context.config.model)
    else:
        model = context.result_of(f"train-{training.name}") / MODEL_NAME
    silence_loading()
    results = evaluate(
        model,
        task_specs(context.config, section, context.result_of("data") / PAIRS_NAME),
        out=context.out,
        backend=section.backend,
        data_dir=section.data_dir,
        settings=_settings(context, section),
    )
    shown = [f"{name} {show_score(result)}" for name, result in results.benchmarks.items()]
    context.reporter.note("; ".join(shown))


def show_score(result: BenchmarkResult) -> str:
    """A score with its interval, for one line."""
    if result.score is None:
        return "not scored"
    signed = "+" if result.higher_is_better is None else ""
    text = f"{result.score:{signed}.3f}"
    if result.interval is not None:
        text += f" [{result.interval[0]:{signed}.3f}, {result.interval[1]:{signed}.3f}]"
    return text


def task_specs(config: PipelineConfig, section: EvaluateSection, pairs: Path) -> list[TaskSpec]:
    """What debias-eval is asked for, task by task."""
    return [_task_spec(task, config, pairs) for task in section.tasks]


def _task_spec(task: Task, config: PipelineConfig, pairs: Path) -> TaskSpec:
    if isinstance(task, EntropyGapTask):
        changes = _prompt(config) | {
            "max_new_tokens": task.max_new_tokens,
            "sampling": {"n": task.samples, "seed": config.run.seed},
        }
        return TaskSpec("entropy_gap", limit=task.pairs, data=pairs, protocol=changes)
    data = task.data
    if data is not None and is_testbed_data(data):
        data = testbed_file(data)
    if data is None and task.kind == "counterfactual_maths":
        data = pairs
    protocol = _scoring(task) if isinstance(task, LikelihoodTask) else _changes(task, config)
    return TaskSpec(
        benchmark_name(task), name=task_label(task), limit=task.limit, data=data, protocol=protocol
    )


def _scoring(task: LikelihoodTask) -> dict[str, object] | None:
    """Changes to a suite's protocol: none, or the chat template."""
    return {"chat_template": True} if task.chat_template else None


def _changes(
    task: MathsTask | CodeTask | LiveCodeBenchTask | WritingTask, config: PipelineConfig
) -> dict[str, object]:
    """Changes to the benchmark's protocol; some have none of their own for the prompt."""
    changes: dict[str, object] = {}
    if task.protocol is not None:
        changes["profile"] = task.protocol
    elif task.kind in ("math_jsonl", "counterfactual_maths"):
        changes |= _prompt(config)
    elif isinstance(task, WritingTask):
        # Its prompts are begun texts: a template for problems would not fit around them.
        changes |= {name: value for name, value in _prompt(config).items() if name != "template"}
    if task.kind == "counterfactual_maths" and task.data is None:
        changes["split"] = "test"  # what nothing was trained or stopped on
    if task.max_new_tokens is not None:
        changes["max_new_tokens"] = task.max_new_tokens
    if task.samples is not None or task.temperature is not None:
        sampling = {"n": task.samples, "temperature": task.temperature, "seed": config.run.seed}
        changes["sampling"] = {key: value for key, value in sampling.items() if value is not None}
    return changes


def _prompt(config: PipelineConfig) -> dict[str, object]:
    prompt = config.model.prompt
    return {
        "template": prompt.template,
        "chat_template": prompt.chat_template,
        "system": prompt.system,
    }


def _settings(context: StageContext, section: EvaluateSection) -> EvalSettings:
    def progress(benchmark: str, stage: str, done: int, total: int) -> None:
        context.reporter.progress(f"{benchmark}: {stage}", done, total)

    model = context.config.model
    return EvalSettings(
        backend=BackendSettings(
            model.device,
            model.dtype,
            section.batch_size,
            options=section.backend_options,
        ),
        grade=GradeSettings(
            level=section.sandbox,
            allow_unsandboxed=section.allow_unsandboxed,
            python=section.sandbox_python,
        ),
        progress=progress,
    )
