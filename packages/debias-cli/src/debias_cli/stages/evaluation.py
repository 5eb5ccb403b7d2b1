"""Stages `baseline` and `eval-*`: the same benchmarks on the original and on a trained model.

A benchmark that is finished anywhere under its key is linked in; only the others are asked of
debias-eval, one after the other on a model that is loaded once, and each is kept as soon as it is
complete.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from debias_cli.config.evaluate import EvaluateSection, Task, task_label
from debias_cli.config.tree import PipelineConfig
from debias_cli.resources import is_testbed_data, testbed_file
from debias_cli.rundir.benchmarks import (
    BENCHMARK_RECORD,
    BenchmarkRecord,
    new_benchmark_record,
    take_over,
)
from debias_cli.rundir.files import read_json, write_json
from debias_cli.rundir.folder import stale_key, write_record
from debias_cli.stages.benchmarks import task_named
from debias_cli.stages.context import StageContext
from debias_cli.stages.data import PAIRS_NAME
from debias_cli.stages.keys import Benchmark
from debias_cli.stages.models import model_folder, silence_loading
from debias_cli.stages.requests import task_reads, task_request
from debias_cli.stages.training import MODEL_NAME
from debias_eval.backends.base import BackendSettings
from debias_eval.backends.registry import open_backend
from debias_eval.data_dir import resolve_data_dir
from debias_eval.evaluation import EvalSettings, evaluate
from debias_eval.preparing import TaskSpec, prepare
from debias_eval.results import RESULTS_FILE, BenchmarkResult, load_results
from debias_eval.tasks.base import GradeSettings


def run_evaluation(context: StageContext) -> None:
    """Evaluates the original model, or the one that the stage's training left."""
    training = context.stage.training
    if training is None:
        model = model_folder(context.config.model)
    else:
        model = context.result_of(f"train-{training.name}") / MODEL_NAME
    silence_loading()
    records: dict[str, BenchmarkRecord] = {}
    for decision in context.benchmarks:
        if decision.source is not None:
            name = decision.benchmark.name
            record = take_over(decision.source, context.out / name)
            if record is not None:
                records[name] = record
    missing = [item for item in context.stage.benchmarks if item.name not in records]
    if missing:
        records |= _evaluate(context, model, missing)
    _write_results(context.out, model, [records[item.name] for item in context.stage.benchmarks])
    results = load_results(context.out)
    shown = [f"{name} {show_score(result)}" for name, result in results.benchmarks.items()]
    context.reporter.note("; ".join(shown))


def _evaluate(
    context: StageContext, model: Path, benchmarks: Sequence[Benchmark]
) -> dict[str, BenchmarkRecord]:
    """Asks debias-eval for every benchmark; one that is complete stays, whatever comes after."""
    section = context.config.evaluate
    assert section is not None
    pairs = context.result_of("data") / PAIRS_NAME
    specs = {
        item.name: task_spec(task_named(section, item.name), context.config, pairs)
        for item in benchmarks
    }
    settings, data_dir = _settings(context, section), resolve_data_dir(section.data_dir)
    # before the model is loaded: whatever is wrong with a file, and what grading has to start
    for spec in specs.values():
        prepare(spec, context.out, data_dir, None)[0].task.warm_up()
    backend = open_backend(section.backend, model, settings.backend)
    records: dict[str, BenchmarkRecord] = {}
    for item in benchmarks:
        (context.out / item.name / BENCHMARK_RECORD).unlink(missing_ok=True)
        began = time.perf_counter()
        evaluate(
            model,
            [specs[item.name]],
            out=context.out,
            backend=backend,
            data_dir=data_dir,
            settings=settings,
        )
        records[item.name] = _keep(context, item, time.perf_counter() - began)
    return records


def _keep(context: StageContext, benchmark: Benchmark, seconds: float) -> BenchmarkRecord:
    """Writes down what made a complete benchmark, and its row."""
    head = read_json(context.out / RESULTS_FILE)
    rows = head.pop("benchmarks")
    assert isinstance(rows, dict)
    needs = {need: _key_of(context, need) for need in benchmark.needs}
    stale = context.stale.intersection(benchmark.needs)
    parts = {
        "config": benchmark.config,
        "inputs": benchmark.inputs,
        "code": benchmark.code,
        "needs": needs,
    }
    key = stale_key(benchmark.key) if stale else benchmark.key
    row = rows[benchmark.name]
    record = new_benchmark_record(benchmark.name, key, parts, seconds, head=head, result=row)
    return write_record(context.out / benchmark.name / BENCHMARK_RECORD, record)


def _key_of(context: StageContext, stage: str) -> str:
    record = context.folder.record(stage)
    assert record is not None, f"{stage} is finished before what needs it"
    return record.key


def _write_results(out: Path, model: Path, records: Sequence[BenchmarkRecord]) -> None:
    """Writes `results.json` over all benchmarks, in the order of the configuration."""
    head = max(records, key=lambda record: record.finished).head
    named = head["model"]
    assert isinstance(named, Mapping)
    rows: dict[str, JsonValue] = {record.benchmark: record.result for record in records}
    # the same weights may have lain elsewhere when a result was made
    content = {**head, "model": {**named, "path": str(model)}, "benchmarks": rows}
    write_json(out / RESULTS_FILE, content)


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
    return [task_spec(task, config, pairs) for task in section.tasks]


def task_spec(task: Task, config: PipelineConfig, pairs: Path) -> TaskSpec:
    """What debias-eval is asked for one task; `pairs` is the table of the `data` section."""
    request = task_request(task, config)
    name, limit, protocol = request["task"], request["limit"], request["protocol"]
    assert isinstance(name, str)
    assert limit is None or isinstance(limit, int)
    assert protocol is None or isinstance(protocol, dict)
    data = pairs if task_reads(task).pairs else getattr(task, "data", None)
    if data is not None and is_testbed_data(data):
        data = testbed_file(data)
    return TaskSpec(name, name=task_label(task), limit=limit, data=data, protocol=protocol)


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
