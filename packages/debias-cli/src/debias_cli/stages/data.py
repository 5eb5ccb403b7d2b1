"""Stage `data`: the pair table that everything later reads."""

from __future__ import annotations

from debias_cli.stages.context import StageContext

PAIRS_NAME = "pairs.parquet"


def run_data(context: StageContext) -> None:
    """Builds the table and writes it with its card."""
    from debias_data import build  # noqa: PLC0415 - pyarrow

    assert context.config.data is not None
    table = build(context.config.data)
    table.write(context.out / PAIRS_NAME)
    splits = {name: len(table.select(split=name)) // 2 for name in ("train", "dev", "test")}
    words = ", ".join(f"{count:,} {name}" for name, count in splits.items())
    context.reporter.note(f"{table.num_pairs:,} pairs ({words})")
