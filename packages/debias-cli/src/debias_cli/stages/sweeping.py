"""A sweep: every point is a run of its own, the best one is evaluated, a table says what came out.

`OUTPUT_DIR/NAME-sweep-KEY/` holds the table as `sweep.json` and `sweep.md`; the points lie in run
folders beside it, so that a point that is finished answers at once, whichever sweep asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from debias_cli.config.dump import dump
from debias_cli.config.load import LoadedConfig, derive
from debias_cli.config.points import Point, check_points, point_text
from debias_cli.config.sweep import Sweep
from debias_cli.errors import CriteriaError, StageError
from debias_cli.rundir.files import write_json, write_text
from debias_cli.rundir.locking import locked
from debias_cli.rundir.storage import named_storage
from debias_cli.stages.asking import asker, check_installed
from debias_cli.stages.context import Reporter, SilentReporter
from debias_cli.stages.graph import run_folder, sweep_folder
from debias_cli.stages.planning import Selection
from debias_cli.stages.ranking import (
    PointResult,
    as_number,
    best_of,
    caveats,
    criterion_text,
    read_held,
    read_test_gap,
)
from debias_cli.stages.runner import RunSummary, run_pipeline
from debias_cli.stages.sweep_table import sweep_markdown
from debias_core.errors import NonFiniteError, NotEnoughMemoryError

TABLE_NAME, MARKDOWN_NAME, SWEEP_NAME = "sweep.json", "sweep.md", "sweep.yaml"
_BAD_POINTS = (NonFiniteError, NotEnoughMemoryError)  # of a setting, not of the machine


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """What a sweep did.

    Attributes:
        folder: of the table.
        points: all of them.
        best: the run of the best point, evaluated; None where every point failed.
        table: the content of `sweep.json`.
    """

    folder: Path
    points: tuple[PointResult, ...]
    best: RunSummary | None
    table: dict[str, object]


def point_selection(sweep: Sweep, selection: Selection) -> Selection:
    """What of a point runs before the best is known."""
    return replace(selection, training_only=sweep.evaluate == "best")


def run_sweep(
    loaded: LoadedConfig,
    *,
    selection: Selection | None = None,
    reporter: Reporter | None = None,
) -> SweepSummary:
    """Runs every point that is not finished, then the best one to its report.

    A point whose training diverges or does not fit into memory is one of the results; any other
    error ends the sweep, which goes on from there when it is run again.

    Raises:
        ConfigError: a point is invalid; raised before any of them runs.
        MissingError: an input or a package is not there.
        StageError: a stage failed, or every point did.
        CriteriaError: with `run.strict`, when the best point misses a success criterion.
    """
    sweep, folder = loaded.config.sweep, sweep_folder(loaded)
    assert sweep is not None
    check_installed(sweep)
    check_points(loaded, every=True)
    with named_storage(folder), locked(folder):
        write_text(folder / SWEEP_NAME, dump(loaded.saved))
        runner = _Sweeper(loaded, sweep, selection or Selection(), reporter or SilentReporter())
        results = runner.run_points()
        best = best_of(results, sweep.criterion)
        if best is None:
            runner.write(folder, results, None)
            raise StageError(f"every point of the sweep failed; see {folder / MARKDOWN_NAME}")
        runner.reporter.note(f"best point: {best.number}")
        done = runner.run_point(best.values, Selection(), f"the best point, {best.number}")
        table = runner.write(folder, results, best)
    if loaded.config.run.strict and done.met is False:
        raise CriteriaError(f"best point: success criteria not met; see {done.folder}")
    return SweepSummary(folder, tuple(results), done, table)


class _Sweeper:
    """Carries one sweep out."""

    def __init__(
        self, loaded: LoadedConfig, sweep: Sweep, selection: Selection, reporter: Reporter
    ) -> None:
        self.loaded, self.sweep, self.reporter = loaded, sweep, reporter
        self.selection = point_selection(sweep, selection)

    def run_points(self) -> list[PointResult]:
        """Every point, one after the other."""
        results: list[PointResult] = []
        source = asker(self.sweep)
        for number, point in enumerate(source.points(), start=1):
            result = self._one(number, point)
            held = result.held
            source.judge(None if held is None else as_number(held, self.sweep.criterion))
            results.append(result)
        return results

    def _one(self, number: int, point: Point) -> PointResult:
        loaded = self._derived(point)
        folder = run_folder(loaded).path
        try:
            self.run_point(point, self.selection, f"point {number}: {point_text(point)}")
        except StageError as error:
            if not isinstance(error.__cause__, _BAD_POINTS):
                raise
            return PointResult(number, point, folder, None, str(error.__cause__))
        return PointResult(number, point, folder, read_held(loaded.config, folder))

    def run_point(self, point: Point, selection: Selection, title: str) -> RunSummary:
        """One point, as far as the selection says."""
        self.reporter.section(title)
        return run_pipeline(self._derived(point), selection=selection, reporter=self.reporter)

    def _derived(self, point: Point) -> LoadedConfig:
        # what --strict asks for holds for the best point, not for each
        return derive(self.loaded, {**point, "run.strict": False})

    def write(
        self, folder: Path, results: Sequence[PointResult], best: PointResult | None
    ) -> dict[str, object]:
        """Writes the table; returns the content of `sweep.json`."""
        train = self.loaded.config.train
        assert train is not None
        fields = [item.field for item in self.sweep.parameters]
        tested = None
        if best is not None:
            tested = read_test_gap(best.folder, self._derived(best.values).config)
        table: dict[str, object] = {
            "format": 1,
            "kind": self.sweep.kind,
            "criterion": self.sweep.criterion,
            "criterion_text": criterion_text(self.sweep.criterion),
            "fields": fields,
            "points": [result.to_dict() for result in results],
            "best": None if best is None else best.number,
            "best_on_test_pairs": tested,
            "notes": caveats(fields, len(train.seeds)),
        }
        write_json(folder / TABLE_NAME, table)
        write_text(folder / MARKDOWN_NAME, sweep_markdown(table, results, best))
        return table
