"""Stage `data`: the pair table that everything later reads."""

from __future__ import annotations

from debias_cli.stages.context import StageContext

PAIRS_NAME = "pairs.parquet"


def run_data(context: StageContext) -> None:
    """Builds the table and writes it with its card."""
    from debias_data.builder import build_to, expected_items  # noqa: PLC0415 - pyarrow

    config = context.config.data
    assert config is not None
    total, done = expected_items(config), 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        if total is not None:
            context.reporter.progress("problems", min(done, total), total)

    written = build_to(context.out / PAIRS_NAME, config, progress=progress)
    coverage = written.card["coverage"]
    assert isinstance(coverage, dict)
    splits = coverage["split"]
    assert isinstance(splits, dict)
    words = ", ".join(f"{splits.get(name, 0):,} {name}" for name in ("train", "dev", "test"))
    context.reporter.note(f"{written.num_pairs:,} pairs ({words})")
