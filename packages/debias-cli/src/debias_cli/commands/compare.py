"""`compare`: the trained models of two runs on the same items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from debias_cli.config.load import load_config
from debias_cli.errors import MissingError
from debias_cli.rundir.folder import CONFIG_NAME, open_run
from debias_cli.stages.graph import training_runs
from debias_cli.ui.output import Output

if TYPE_CHECKING:
    from debias_eval.comparison import BenchmarkComparison


def compare_runs(run_a: Path, run_b: Path, margin: float, output: Output) -> int:
    """Prints what changed from run A's model to run B's, benchmark by benchmark."""
    from debias_eval.comparison import compare  # noqa: PLC0415 - scipy

    first, second = judged_results(run_a), judged_results(run_b)
    comparison = compare(first, second, margin=margin)
    output.say(f"{first} → {second}")
    if comparison.gap is not None:
        before, after = comparison.gap.before.gap, comparison.gap.after.gap
        output.say(
            f"  entropy gap: {before.value:+.4f} → {after.value:+.4f} nats "
            f"[{after.low:+.4f}, {after.high:+.4f}]: {comparison.verdict}"
        )
    for entry in comparison.benchmarks:
        output.say(f"  {entry.name}: {_describe(entry)}")
    output.emit({"ok": True, "comparison": comparison.to_dict()})
    return 0


def _describe(entry: BenchmarkComparison) -> str:
    if entry.test is None:
        return f"not compared: {entry.reason or 'no paired test exists for it'}"
    kept = entry.test.kept
    change = kept.difference
    return (
        f"{kept.baseline:.3f} → {kept.candidate:.3f}, change {change.value:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}] on {entry.test.num_items} items: {kept.verdict}"
    )


def judged_results(run_dir: Path) -> Path:
    """The evaluation of a run's main objective; without training, that of the original.

    Raises:
        MissingError: it is no run folder, or the evaluation is not finished.
    """
    folder = open_run(run_dir)
    config = load_config(folder.path / CONFIG_NAME).config
    main = next((run for run in training_runs(config.train) if run.main), None)
    name = "baseline" if main is None else f"eval-{main.name}"
    if folder.record(name) is None:
        hint = f"debias-cli run {folder.path / CONFIG_NAME}"
        raise MissingError(f"{folder.path}: stage {name} is not finished; {hint}")
    return folder.stage(name)
