"""The command `debias-data`: build, label, swap, validate-labels, card."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that `--help` stays fast
# ruff: noqa: FBT002 - typer reads flags from boolean defaults

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from debias_data.errors import BadConfigError, DebiasDataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debias_data.config import BuildConfig
    from debias_data.download import OnBytes, RemoteFile
    from debias_data.jsonl import Json
    from debias_data.progress_bar import ProgressBar

app = typer.Typer(
    name="debias-data",
    help="Gender labels, counterfactual pairs and balanced data sets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Output = Annotated[Path | None, typer.Option("--out", "-o", help="Write here, not to stdout.")]
Column = Annotated[str, typer.Option(help="Field of the JSONL rows that holds the text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Gender labels, counterfactual pairs and balanced data sets."""
    _ = debug  # read from the arguments by `main`, which is where errors arrive


@app.command()
def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.parquet to write.")] = Path(
        "pairs.parquet"
    ),
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card.")] = False,
) -> None:
    """Build a pair table, with its card beside it: JSON, Markdown and a picture.

    Example: debias-data build pairs.yaml --out data/pairs.parquet
    """
    from debias_data.builder import build_to, expected_items
    from debias_data.card_page import write_page

    loaded = load_config(config)
    total = expected_items(loaded, base_dir=config.parent)
    with _progress("problems", quiet=quiet or as_json, total=total) as advance:
        written = build_to(out, loaded, base_dir=config.parent, progress=advance)
    write_page(written.path, written.card)
    if as_json:
        typer.echo(json.dumps(written.card, ensure_ascii=False))
        return
    _show_card(written.card)
    typer.echo(f"wrote {written.path}: {written.num_pairs} pairs, {2 * written.num_pairs} rows")


@app.command()
def label(
    file: Annotated[Path, typer.Argument(help="JSONL, or a text file with one text a line.")],
    column: Column = "text",
    out: Output = None,
    quiet: Quiet = False,
) -> None:
    """Label each text as male, female, neutral or mixed, with the markers read.

    Example: debias-data label problems.jsonl --column problem
    """
    from debias_data.gender.labelling import label as label_text

    def rows() -> Iterator[dict[str, Json]]:
        for number, text in _texts(file, column):
            found = label_text(text)
            spans: list[Json] = [
                {"start": s.start, "end": s.end, "text": s.text, "gender": s.gender}
                for s in found.spans
            ]
            yield {"row": number, "label": found.value, "spans": spans}

    _write_rows(rows(), out, quiet=quiet)


@app.command()
def swap(
    file: Annotated[Path, typer.Argument(help="JSONL, or a text file with one text a line.")],
    to: Annotated[
        Literal["male", "female", "swap"], typer.Option(help="The gender that is wanted.")
    ] = "swap",
    column: Column = "text",
    out: Output = None,
    quiet: Quiet = False,
) -> None:
    """Swap the gender of each text; refusals come out as rows with their reason.

    Example: debias-data swap problems.jsonl --to female --column problem
    """
    from debias_data.gender.swapping import swap as swap_text
    from debias_data.gender.types import Refusal

    def rows() -> Iterator[dict[str, Json]]:
        for number, text in _texts(file, column):
            found = swap_text(text, to)
            if isinstance(found, Refusal):
                yield {"row": number, "refused": found.reason, "detail": found.detail}
            else:
                yield {"row": number, "text": found.text, "confidence": found.confidence}

    _write_rows(rows(), out, quiet=quiet)


@app.command("validate-labels")
def validate_labels(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl", help="Rows {text, label}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the labels against a gold file: accuracy a class with its 95 % interval.

    Example: debias-data validate-labels gold.jsonl
    """
    from debias_data.validation import validate

    report = validate(gold)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("class", "right", "of", "accuracy", "95 % interval")
    for name, score in report.scores.items():
        low, high = score.interval
        table.add_row(
            name,
            str(score.right),
            str(score.total),
            f"{score.accuracy:.3f}",
            f"{low:.3f} – {high:.3f}",
        )
    Console().print(table)
    for miss in report.misses:
        typer.echo(f"{gold}:{miss.row}: {miss.gold}, labelled {miss.found}: {miss.text}")


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder, table or card.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write .card.md and .card.svg.")] = False,
) -> None:
    """Show the card of a pair table.

    Example: debias-data card data/
    """
    from debias_data.card_page import write_page
    from debias_data.table import read_card, resolve_table

    is_card = folder.name.endswith(".card.json")
    path = folder if is_card else resolve_table(folder)
    found = read_card(path)
    if write:
        for page in write_page(path, found):
            typer.echo(f"wrote {page}", err=True)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show_card(found)


@app.command("fetch")
def fetch_files(
    name: Annotated[str, typer.Argument(help="Which source; --list shows them all.")] = "",
    data_dir: Annotated[
        Path, typer.Option("--data-dir", envvar="DEBIAS_DATA_DIR", help="The data folder.")
    ] = Path("data"),
    quiet: Quiet = False,
    show: Annotated[bool, typer.Option("--list", help="List the sources and licences.")] = False,
) -> None:
    """Bring the published files of a source into the data folder, checked by their SHA-256.

    Example: debias-data fetch winogender --data-dir data
    """
    from debias_data.fetch import PUBLISHED, fetch

    if show or not name:
        for known, source in PUBLISHED.items():
            typer.echo(f"{known}\t{source.licence}\t{source.homepage}")
        if not show:
            raise typer.BadParameter("which one?", param_hint="NAME")
        return
    with _progress("bytes", quiet=quiet) as bar:

        def on_file(file: RemoteFile) -> OnBytes:
            bar.restart(file.path)
            return bar.show

        paths = fetch(name, data_dir, on_file=on_file)
    for path in paths:
        typer.echo(str(path))


def load_config(path: Path) -> BuildConfig:
    """The build config in a YAML file.

    Raises:
        BadConfigError: all that is wrong with it, one line a field.
    """
    from pydantic import ValidationError

    from debias_data.config import BuildConfig
    from debias_data.strict_yaml import load_yaml

    values = load_yaml(path)
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        ]
        raise BadConfigError("\n".join(lines)) from error


def _texts(file: Path, column: str) -> Iterator[tuple[int, str]]:
    from debias_data.errors import BadRowError
    from debias_data.files import require_file
    from debias_data.jsonl import MAX_LINE_BYTES, read_jsonl, text_field

    if file.suffix in {".jsonl", ".ndjson"}:
        for number, row in read_jsonl(file):
            yield number, text_field(row, column, path=file, number=number)
        return
    with require_file(file).open("rb") as handle:
        number = 0
        while line := handle.readline(MAX_LINE_BYTES + 2):
            number += 1
            if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise BadRowError(file, number, f"line longer than {MAX_LINE_BYTES >> 20} MiB")
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise BadRowError(file, number, f"invalid UTF-8 at byte {error.start}") from error


def _write_rows(rows: Iterator[dict[str, Json]], out: Path | None, *, quiet: bool) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if out is None:
        for line in lines:
            sys.stdout.write(line)
        return
    from debias_data.files import atomic_path

    with (
        atomic_path(out) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as handle,
        _progress("texts", quiet=quiet) as advance,
    ):
        for line in lines:
            handle.write(line)
            advance(1)


def _progress(what: str, *, quiet: bool, total: int | None = None) -> ProgressBar:
    from debias_data.progress_bar import ProgressBar

    return ProgressBar(what, quiet=quiet, total=total)


def _show_card(found: dict[str, Json]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("source", "pairs", "left out")
    sources = found.get("sources")
    if isinstance(sources, dict):
        for name, counts in sources.items():
            if isinstance(counts, dict):
                left_out = counts.get("left_out")
                reasons = (
                    ", ".join(
                        f"{reason} {item['count']}" if isinstance(item, dict) else reason
                        for reason, item in left_out.items()
                    )
                    if isinstance(left_out, dict)
                    else ""
                )
                table.add_row(name, str(counts.get("pairs")), reasons)
    console.print(table)
    for key in ("rows", "clusters", "overlap", "balance", "confidence", "length", "sha256"):
        if key in found:
            console.print(f"{key}: {found[key]}", soft_wrap=True, highlight=False)


def _interrupted(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """Entry point: run the command and exit with the code that its outcome has."""
    signal.signal(signal.SIGINT, _interrupted)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        app()
    except DebiasDataError as error:
        if "--debug" in sys.argv[1:]:
            raise
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    sys.exit(0)
