"""`run`, `demo` and `report`: everything that carries a pipeline out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from debias_cli.commands.sweep import run_sweep_file
from debias_cli.config.load import LoadedConfig, load_config, parse_config
from debias_cli.errors import CriteriaError
from debias_cli.resources import quickstart_text
from debias_cli.rundir.files import read_json
from debias_cli.rundir.folder import CONFIG_NAME, open_run
from debias_cli.stages.graph import run_folder
from debias_cli.stages.planning import Selection
from debias_cli.stages.processes import help_training, helpers_at_hand, is_helper
from debias_cli.stages.runner import CRITERIA_FILE, RunSummary, run_pipeline
from debias_cli.ui.output import Output


def run_file(path: Path, overrides: Sequence[str], selection: Selection, output: Output) -> int:
    """Runs the pipeline of a configuration file."""
    loaded = load_config(path, overrides=overrides)
    if is_helper():
        return help_training(loaded.config)
    with helpers_at_hand(loaded.config):
        if loaded.config.sweep is not None:
            return run_sweep_file(loaded, selection, output)
        return _run(loaded, selection, output)


def run_demo(out: Path, overrides: Sequence[str], output: Output) -> int:
    """Runs the configuration that the package carries."""
    changes = [*overrides, f"run.output_dir={out}"]
    loaded = parse_config(
        quickstart_text(), source="quickstart.yaml", base=Path.cwd(), overrides=changes
    )
    return _run(loaded, Selection(), output)


def rewrite_report(run_dir: Path, output: Output) -> int:
    """Writes the report of a run folder again, from what lies in it."""
    folder = open_run(run_dir)
    loaded = load_config(
        folder.path / CONFIG_NAME, overrides=[f"run.output_dir={folder.path.parent}"]
    )
    return _run(loaded, Selection(only="report", force=True), output)


def _run(loaded: LoadedConfig, selection: Selection, output: Output) -> int:
    from debias_cli.ui.progress import TerminalReporter, error_console  # noqa: PLC0415 - rich

    reporter = TerminalReporter(error_console(), verbose=output.verbosity > 0)
    try:
        if output.shows_progress:
            with reporter.live():
                summary = run_pipeline(loaded, selection=selection, reporter=reporter)
        else:
            summary = run_pipeline(loaded, selection=selection)
    except CriteriaError:
        _show_tables(loaded, output)
        raise
    _show_tables(loaded, output)
    _say_summary(summary, output)
    return 0


def _show_tables(loaded: LoadedConfig, output: Output) -> None:
    if output.as_json or output.verbosity < 0:
        return
    from debias_cli.ui.tables import criteria_table, results_table  # noqa: PLC0415 - rich

    folder = run_folder(loaded).path
    table = results_table(loaded.config, folder)
    if table is not None:
        output.show(table)
    if (folder / CRITERIA_FILE).is_file():
        output.show(criteria_table(read_json(folder / CRITERIA_FILE)))


def _say_summary(summary: RunSummary, output: Output) -> None:
    ran = ", ".join(summary.ran) if summary.ran else "nothing: all stages are finished"
    output.say(f"ran {ran} in {summary.seconds:.1f} s")
    output.say(f"run folder: {summary.folder}")
    if summary.report is not None:
        output.say(f"report: {summary.report}")
    output.emit(
        {
            "ok": True,
            "run_dir": str(summary.folder),
            "ran": list(summary.ran),
            "reused": list(summary.reused),
            "evaluated": {name: list(below) for name, below in summary.evaluated.items()},
            "criteria_met": summary.met,
            "report": None if summary.report is None else str(summary.report),
            "seconds": round(summary.seconds, 3),
        }
    )
