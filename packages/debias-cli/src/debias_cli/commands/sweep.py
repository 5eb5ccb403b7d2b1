"""`run` and `plan` of a file with a `sweep` section."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cli.config.load import LoadedConfig, derive
from debias_cli.config.points import listed_points, point_text
from debias_cli.config.sweep import OptunaSweep, Values
from debias_cli.errors import UsageError
from debias_cli.rundir.folder import HASHES_NAME
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.asking import check_installed
from debias_cli.stages.graph import build_graph, run_folder, sweep_folder
from debias_cli.stages.packages import check_packages
from debias_cli.stages.planning import Decision, Selection, make_plan
from debias_cli.stages.ranking import criterion_text
from debias_cli.stages.sweep_table import verdict
from debias_cli.stages.sweeping import MARKDOWN_NAME, point_selection, run_sweep
from debias_cli.ui.output import Output


def run_sweep_file(loaded: LoadedConfig, selection: Selection, output: Output) -> int:
    """Runs every point, then the best one to its report, and shows the table."""
    from debias_cli.ui.progress import TerminalReporter, error_console  # noqa: PLC0415 - rich
    from debias_cli.ui.tables import sweep_table  # noqa: PLC0415 - rich

    _refuse_only(selection)
    reporter = TerminalReporter(error_console(), verbose=output.verbosity > 0)
    if output.shows_progress:
        with reporter.live():
            summary = run_sweep(loaded, selection=selection, reporter=reporter)
    else:
        summary = run_sweep(loaded, selection=selection)
    best = next(item for item in summary.points if item.number == summary.table["best"])
    output.show(sweep_table(summary.table, summary.points, best))
    output.say(verdict(summary.table, best))
    notes = summary.table["notes"]
    assert isinstance(notes, list)
    for note in notes:
        output.say(note)
    output.say(f"table: {summary.folder / MARKDOWN_NAME}")
    report = None if summary.best is None else summary.best.report
    if report is not None:
        output.say(f"report of the best point: {report}")
    output.emit(
        {
            "ok": True,
            "sweep_dir": str(summary.folder),
            "best_run_dir": str(best.folder),
            "report": None if report is None else str(report),
            "criteria_met": None if summary.best is None else summary.best.met,
            **summary.table,
        }
    )
    return 0


def plan_sweep(loaded: LoadedConfig, selection: Selection, output: Output) -> int:
    """Prints every point, its run folder, and which of its stages would run."""
    sweep = loaded.config.sweep
    assert sweep is not None
    _refuse_only(selection)
    check_installed(sweep)
    output.say(f"sweep folder: {sweep_folder(loaded)}")
    output.say(f"the best point has the {criterion_text(sweep.criterion)}")
    if sweep.evaluate == "best":
        output.say("every point is trained; the best one is evaluated and reported")
    rows: list[dict[str, object]] = []
    if isinstance(sweep, OptunaSweep):
        output.say(f"Optuna chooses up to {sweep.points} points, each from those before it:")
        for item in sweep.parameters:
            listed = item.values if isinstance(item, Values) else (item.low, item.high)
            output.say(f"  {item.field}: {item.kind} {', '.join(map(str, listed))}")
    else:
        rows = _plan_points(loaded, point_selection(sweep, selection), output)
    output.emit({"ok": True, "sweep_dir": str(sweep_folder(loaded)), "points": rows})
    return 0


def _plan_points(
    loaded: LoadedConfig, selection: Selection, output: Output
) -> list[dict[str, object]]:
    sweep = loaded.config.sweep
    assert sweep is not None
    assert not isinstance(sweep, OptunaSweep)
    hashes = HashCache(loaded.config.run.output_dir / HASHES_NAME)
    coming: set[str] = set()
    rows: list[dict[str, object]] = []
    for number, point in enumerate(listed_points(sweep), start=1):
        derived = derive(loaded, point)
        folder = run_folder(derived)
        decisions = make_plan(build_graph(derived, hashes), folder, selection, hashes)
        check_packages(derived.config, decisions)
        runs = _runs(decisions, coming, forced=selection.force or selection.start is not None)
        coming.update(item.stage.key for item in decisions if item.action == "run")
        what = f"{', '.join(runs)} would run" if runs else "finished"
        output.say(f"  point {number}: {point_text(point)}: {what} ({folder.path.name})")
        row = {"number": number, "values": dict(point), "run_dir": str(folder.path), "runs": runs}
        rows.append(row)
    hashes.save()
    num_runs = sum(bool(row["runs"]) for row in rows)
    output.say(f"{num_runs} of {len(rows)} points would run")
    return rows


def _runs(decisions: Sequence[Decision], coming: set[str], *, forced: bool) -> list[str]:
    """Stages that run, but for those that an earlier point will have finished by then."""
    return [
        item.stage.name
        for item in decisions
        if item.action == "run" and (forced or item.stage.key not in coming)
    ]


def _refuse_only(selection: Selection) -> None:
    if selection.only is not None:
        raise UsageError(
            "--only: a sweep runs whole points; --set sweep=null runs the file as it is"
        )
