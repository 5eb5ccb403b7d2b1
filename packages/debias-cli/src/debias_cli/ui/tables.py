"""The table at the end of a run: original and trained models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from debias_cli.config.tree import PipelineConfig
from debias_cli.stages.comparison import read_summary
from debias_cli.stages.graph import TrainingRun, training_runs
from debias_cli.stages.ranking import PointResult
from debias_cli.stages.sweep_table import COLUMNS, point_cells, value_cells
from debias_eval.results import BenchmarkResult, Results, load_results


def results_table(config: PipelineConfig, folder: Path) -> Table | None:
    """Every benchmark a row, every model a column; None where nothing was evaluated."""
    if not (folder / "baseline" / "results.json").is_file():
        return None
    runs = [run for run in training_runs(config.train) if (folder / f"eval-{run.name}").is_dir()]
    columns: list[tuple[str, Results]] = [("original", load_results(folder / "baseline"))]
    columns += [(run.name, load_results(folder / f"eval-{run.name}")) for run in runs]
    table = Table(title=config.report.title or config.run.name, title_justify="left")
    table.add_column("benchmark")
    for name, _ in columns:
        table.add_column(name, justify="right")
    for benchmark in columns[0][1].benchmarks:
        cells = [_cell(results.benchmarks.get(benchmark)) for _, results in columns]
        table.add_row(benchmark, *cells)
    if runs:
        table.add_section()
        for label, values in _training_rows(folder, runs).items():
            table.add_row(label, "", *values)
    return table


def _cell(result: BenchmarkResult | None) -> str:
    if result is None or result.score is None:
        return "–"
    signed = "+" if result.higher_is_better is None else ""
    text = f"{result.score:{signed}.3f}"
    if result.interval is not None:
        low, high = result.interval
        text += f"\n[{low:{signed}.3f}, {high:{signed}.3f}]"
    return text


def _training_rows(folder: Path, runs: Sequence[TrainingRun]) -> dict[str, list[str]]:
    summaries = [read_summary(folder, run) for run in runs]
    reached = [
        "never" if item.seconds_to_target is None else f"{item.seconds_to_target:.1f} s"
        for item in summaries
    ]
    return {
        "steps (kept)": [f"{item.steps} ({item.best_step})" for item in summaries],
        "training time": [f"{item.seconds:.1f} s" for item in summaries],
        "time to the target gap": reached,
    }


def criteria_table(criteria: Mapping[str, object]) -> Table:
    """The success criteria of every seed of the main objective."""
    table = Table(title="Success criteria", title_justify="left")
    for name in ("run", "criterion", "verdict", "finding"):
        table.add_column(name)
    runs = criteria["runs"]
    assert isinstance(runs, list)
    for run in runs:
        for item in run["criteria"]:
            table.add_row(run["run"], item["target"], item["verdict"], item["text"])
    return table


def sweep_table(
    table: Mapping[str, object], results: Sequence[PointResult], best: PointResult
) -> Table:
    """The points of a sweep, the best one marked."""
    shown = Table("#", title="Sweep", title_justify="left")
    fields = table["fields"]
    assert isinstance(fields, list)
    ends = [str(field).rsplit(".", 1)[-1] for field in fields]
    for field, end in zip(fields, ends, strict=True):
        name = end.replace("_", " ") if ends.count(end) == 1 else str(field)
        shown.add_column(name, overflow="fold")
    for name in COLUMNS:
        shown.add_column(name.replace(", ", ",\n").replace("inside ", "inside\n"), no_wrap=True)
    for result in results:
        name = f"{result.number} *" if result is best else str(result.number)
        gap, *others = point_cells(result)
        cells = (name, *value_cells(result), gap.replace(" [", "\n[", 1), *others)
        shown.add_row(*map(escape, cells))
    return shown
