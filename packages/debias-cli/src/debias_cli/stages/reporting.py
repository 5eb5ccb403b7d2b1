"""Stage `report`: one page over all trained models, or over the original where none is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.rundir.provenance import provenance
from debias_cli.stages.comparison import compare_run, read_summary
from debias_cli.stages.context import StageContext
from debias_cli.stages.graph import Stage, TrainingRun, training_runs
from debias_eval.report import (
    NamedComparison,
    ReportInput,
    model_report,
    write_model_report,
    write_report,
)

_TESTBED_NOTE = (
    "The model is the embedded test bed: tiny, with a planted bias. It shows that the pipeline "
    "measures and removes a known gap; it shows nothing about real models."
)


def run_report(context: StageContext) -> None:
    """Writes report.html, report.md, report.json and the pictures."""
    config = context.config
    runs = training_runs(config.train)
    if not runs:
        _report_one_model(context)
        return
    candidates = []
    for number, run in enumerate(runs, start=1):
        candidates.append(_candidate(config, run, context.folder.path))
        context.reporter.progress("candidates", number, len(runs))
    content = ReportInput(
        title=config.report.title or config.run.name,
        baseline_name="original",
        candidates=tuple(candidates),
        notes=_notes(config),
        provenance=_provenance(config, context.stage),
    )
    write_report(content, context.out)
    context.reporter.note(f"{len(candidates)} models on one page")


def _report_one_model(context: StageContext) -> None:
    config = context.config
    assert config.evaluate is not None
    content = model_report(
        context.result_of("baseline"),
        title=config.report.title or config.run.name,
        gap_margin=config.evaluate.gap_margin,
        notes=_notes(config),
        provenance=_provenance(config, context.stage),
    )
    write_model_report(content, context.out)
    context.reporter.note("one model on one page")


def _notes(config: PipelineConfig) -> tuple[str, ...]:
    return (_TESTBED_NOTE,) if config.model.path == "testbed" else ()


def display_name(config: PipelineConfig, run: TrainingRun) -> str:
    """What tables call a training: its objective, with the seed where there are several."""
    assert config.train is not None
    return run.label if len(config.train.seeds) == 1 else f"{run.label} (seed {run.seed})"


def _candidate(config: PipelineConfig, run: TrainingRun, folder: Path) -> NamedComparison:
    assert config.train is not None
    summary = read_summary(folder, run)
    reached = summary.seconds_to_target
    training = {
        "objective": _words(run.objective.model_dump(mode="json", by_alias=True)),
        "seed": str(run.seed),
        "steps": f"{summary.steps} (kept: step {summary.best_step})",
        "stopped by": summary.stop_reason,
        "training time": f"{summary.seconds:.1f} s",
        "time to the target": "not reached" if reached is None else f"{reached:.1f} s",
    }
    return NamedComparison(
        name=display_name(config, run),
        comparison=compare_run(config, run, folder),
        training=training,
        is_primary=run.main and run.seed == config.train.seeds[0],
    )


def _words(fields: Mapping[str, Plain]) -> str:
    kind = fields["kind"]
    others = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "kind")
    return f"{kind} ({others})" if others else str(kind)


def _provenance(config: PipelineConfig, stage: Stage) -> dict[str, str]:
    """The part of provenance.json that a reader of the report looks for."""
    found = provenance(config, [stage])
    packages, hardware, git = found["packages"], found["hardware"], found["git"]
    assert isinstance(packages, dict)
    assert isinstance(hardware, dict)
    rows = {f"version of {name}": str(value) for name, value in packages.items()}
    rows |= {f"hardware: {name}": str(value) for name, value in hardware.items()}
    if isinstance(git, dict):
        dirty = " with uncommitted changes" if git["dirty"] else ""
        rows["commit"] = f"{git['commit']}{dirty}"
    seeds = (config.run.seed,) if config.train is None else config.train.seeds
    rows["seeds"] = ", ".join(map(str, seeds))
    rows["model"] = config.model.path
    return rows
