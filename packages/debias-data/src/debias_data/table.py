"""The pair table: what this package hands to the others, in memory and on disk.

One row a prompt, two rows a pair, as Parquet (zstd) with a JSON card beside it that holds the
SHA-256 of the Parquet file:

    NAME.parquet    pair_id, cluster_id, group, prompt, reference, placebo, source, domain, split,
                    spans
    NAME.card.json  {"format": 1, "sha256": ..., "rows": ..., "pairs": ..., ...}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NotRequired, Self, TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from debias_data.errors import BadRowError, EmptyResultError, InvalidInputError, MissingInputError
from debias_data.files import atomic_path, require_file, sha256, write_text

if TYPE_CHECKING:
    from debias_data.config import SplitName
    from debias_data.jsonl import Json

FORMAT = 1
GROUPS = ("female", "male")
SPLITS = ("train", "dev", "test")
BATCH_ROWS = 8192
PLACEBO = "placebo"

SCHEMA = pa.schema(
    [
        pa.field("pair_id", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("reference", pa.string()),
        pa.field(PLACEBO, pa.string()),  # the prompt under other names, see `placebo`
        pa.field("source", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field(
            "spans",
            pa.list_(
                pa.struct([("start", pa.int32()), ("end", pa.int32()), ("text", pa.string())])
            ),
        ),
    ]
)


class SpanRow(TypedDict):
    """A gender marker in `prompt`; offsets in characters."""

    start: int
    end: int
    text: str


class PairRow(TypedDict):
    """One row of the table."""

    pair_id: str
    cluster_id: str
    group: str
    prompt: str
    reference: str | None
    placebo: NotRequired[str | None]
    source: str
    domain: str
    split: str
    spans: list[SpanRow]


class PairTable:
    """A checked table of prompt pairs.

    Attributes:
        table: the rows, with exactly the columns of `SCHEMA`; one given without placebos has nulls.
        card: figures about the rows; `write` adds the file's hash.
    """

    def __init__(
        self, table: pa.Table, *, card: dict[str, Json] | None = None, name: str = "pair table"
    ) -> None:
        """Check `table` and wrap it; `name` begins the messages of the errors below.

        Raises:
            InvalidInputError: a wrong schema, a null, an unknown group or split, a pair without
                both groups, a (pair_id, group) that occurs twice, a cluster in two splits.
            EmptyResultError: there is no row.
        """
        self.table = _conform(table, name)
        self.card: dict[str, Json] = dict(card or {})
        _check_rows(self.table, name)

    @classmethod
    def from_rows(cls, rows: Iterable[PairRow], *, card: dict[str, Json] | None = None) -> Self:
        """A table from plain rows."""
        return cls(pa.Table.from_pylist(list(rows), schema=SCHEMA), card=card)

    def __len__(self) -> int:
        """Number of rows: twice the number of pairs."""
        return int(self.table.num_rows)

    @property
    def num_pairs(self) -> int:
        """Number of pairs."""
        return len(self) // 2

    def rows(self) -> Iterator[PairRow]:
        """The rows as dictionaries, in order, a batch at a time."""
        for batch in self.table.to_batches(max_chunksize=BATCH_ROWS):
            yield from batch.to_pylist()

    def select(
        self,
        *,
        split: SplitName | None = None,
        source: str | None = None,
        domain: str | None = None,
    ) -> PairTable:
        """The rows with these values; both rows of a pair share all three.

        Raises:
            EmptyResultError: no row has them.
        """
        table = self.table
        for column, value in (("split", split), ("source", source), ("domain", domain)):
            if value is not None:
                table = table.filter(pc.equal(table[column], value))
        wanted = {"split": split, "source": source, "domain": domain}
        if not table.num_rows:
            given = ", ".join(f"{key}={value!r}" for key, value in wanted.items() if value)
            raise EmptyResultError(f"the pair table has no row with {given}")
        return PairTable(table)

    def write(self, path: Path | str) -> Path:
        """Write `path` (`NAME.parquet`) and `NAME.card.json`, each complete or not at all.

        Returns:
            The path of the Parquet file.

        Raises:
            InvalidInputError: `path` does not end in `.parquet`.
            DebiasDataError: it cannot be written.
        """
        target = Path(path)
        self.card = write_pairs(target, self.table.to_batches(), self.card, num_rows=len(self))
        return target


class PairWriter:
    """Rows on their way into a Parquet file: equal rows give equal bytes, however they are cut.

    As a context it ends the file, or gives it up when the block fails.
    """

    def __init__(self, target: Path | IO[bytes]) -> None:
        """Begin a file at a path, or in a file that is open."""
        self._writer = pq.ParquetWriter(target, SCHEMA, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch."""
        if batch.num_rows:
            self._waiting.append(batch)
            self._count += batch.num_rows
        while self._count >= BATCH_ROWS:
            self._write(BATCH_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close() if kind is None else self.give_up()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._count:
            self._write(self._count)
        self._writer.close()

    def give_up(self) -> None:
        """Write nothing more: on a full disk, trying to would be another error."""
        self._writer.is_open = False

    def _write(self, size: int) -> None:
        table = pa.Table.from_batches(self._waiting, schema=SCHEMA)
        self._writer.write_table(table.slice(0, size).combine_chunks())
        self._waiting = table.slice(size).to_batches()
        self._count -= size


def write_pairs(
    path: Path, batches: Iterable[pa.RecordBatch], card: dict[str, Json], *, num_rows: int
) -> dict[str, Json]:
    """Write checked rows and their card, each complete or not at all.

    The same rows give the same bytes, however they are cut into batches.

    Args:
        path: `NAME.parquet`.
        batches: rows with the columns of `SCHEMA`.
        card: figures about the rows.
        num_rows: the number of rows in all batches.

    Returns:
        The card as it was written, with the file's hash.

    Raises:
        InvalidInputError: `path` does not end in `.parquet`.
        DebiasDataError: it cannot be written.
    """

    def fill(temporary: Path) -> None:
        with PairWriter(temporary) as writer:
            for batch in batches:
                writer.add(batch)

    return write_with_card(path, fill, card, num_rows=num_rows)


def write_with_card(
    path: Path, fill: Callable[[Path], None], card: dict[str, Json], *, num_rows: int
) -> dict[str, Json]:
    """`write_pairs` for rows that `fill` puts into the Parquet file it is given."""
    check_name(path)
    with atomic_path(path) as temporary:
        fill(temporary)
        digest = sha256(temporary)
    written = {"format": FORMAT, **card, "rows": num_rows, "pairs": num_rows // 2, "sha256": digest}
    write_text(card_path(path), json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    return written


def check_name(path: Path) -> None:
    """Pass when a pair table can be called that.

    Raises:
        InvalidInputError: `path` does not end in `.parquet`.
    """
    if path.suffix != ".parquet":
        raise InvalidInputError(f"{path}: a pair table is written to a file NAME.parquet")


def card_path(path: Path) -> Path:
    """`NAME.card.json` beside `NAME.parquet`."""
    return path.with_name(f"{path.name.removesuffix('.parquet')}.card.json")


def read_card(path: Path | str) -> dict[str, Json]:
    """The card of a pair table.

    Args:
        path: of the table or of its card.

    Raises:
        MissingInputError: there is none.
        InvalidInputError: it is not a JSON object of this format.
    """
    target = Path(path)
    target = target if target.name.endswith(".card.json") else card_path(target)
    require_file(target, hint="it is written beside the table and holds its hash")
    try:
        card = json.loads(target.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"{target}: not a card: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise InvalidInputError(f"{target}: not a card of format {FORMAT}")
    return card


def read_pairs(path: Path | str) -> PairTable:
    """A pair table from `NAME.parquet` and its card.

    Raises:
        MissingInputError: one of the two files is not there.
        InvalidInputError: the file is not the one that the card was written for (a flipped byte, a
            truncation), or its rows are not a pair table.
    """
    target = require_file(Path(path))
    card = read_card(target)
    digest = sha256(target)
    if digest != card.get("sha256"):
        raise InvalidInputError(
            f"{target}: damaged or replaced: its SHA-256 is {digest[:12]}…, the card has "
            f"{str(card.get('sha256'))[:12]}…; build it again"
        )
    try:
        table = pq.read_table(target)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{target}: not a readable Parquet file: {error}") from error
    return PairTable(table, card=card, name=str(target))


def _conform(table: pa.Table, name: str) -> pa.Table:
    if PLACEBO not in table.column_names:
        table = table.append_column(SCHEMA.field(PLACEBO), pa.nulls(table.num_rows, pa.string()))
    missing = [column for column in SCHEMA.names if column not in table.column_names]
    extra = [column for column in table.column_names if column not in SCHEMA.names]
    if missing or extra:
        raise InvalidInputError(f"{name}: missing columns {missing}, unknown columns {extra}")
    table = table.select(SCHEMA.names)
    for field in SCHEMA:
        column = table[field.name]
        if not field.nullable and column.null_count:
            row = pc.index(pc.is_null(column), value=True).as_py()
            raise BadRowError(name, row + 1, "is null", column=field.name)
        if column.type != field.type:
            try:
                table = table.set_column(
                    table.column_names.index(field.name), field, column.cast(field.type)
                )
            except pa.ArrowException as error:
                raise InvalidInputError(f"{name}: column {field.name}: {error}") from error
    return table.cast(SCHEMA)


def _check_rows(table: pa.Table, name: str) -> None:
    if not table.num_rows:
        raise EmptyResultError(f"{name}: no rows; nothing to write or train on")
    for column, allowed in (("group", GROUPS), ("split", SPLITS)):
        bad = pc.invert(pc.is_in(table[column], value_set=pa.array(allowed)))
        row = pc.index(bad, value=True).as_py()
        if row >= 0:
            value = table[column][row].as_py()
            raise BadRowError(name, row + 1, f"{value!r} is not one of {allowed}", column=column)
    counts = table.group_by("pair_id").aggregate(
        [([], "count_all"), ("group", "count_distinct"), ("cluster_id", "count_distinct")]
    )
    wrong = counts.filter(
        pc.or_(
            pc.not_equal(counts["count_all"], 2), pc.not_equal(counts["group_count_distinct"], 2)
        )
    )
    if wrong.num_rows:
        first = wrong["pair_id"][0].as_py()
        raise InvalidInputError(
            f"{name}: {wrong.num_rows} pairs without exactly one female and one male row, the "
            f"first is {first!r}"
        )
    splits = table.group_by("cluster_id").aggregate([("split", "count_distinct")])
    leaking = splits.filter(pc.greater(splits["split_count_distinct"], 1))
    if leaking.num_rows:
        first = leaking["cluster_id"][0].as_py()
        raise InvalidInputError(f"{name}: cluster {first!r} is in more than one split")


def resolve_table(path: Path) -> Path:
    """The one `*.parquet` with a card in a folder, or `path` itself when it is a file.

    Raises:
        MissingInputError: there is none, or more than one.
    """
    if path.is_file():
        return path
    found = sorted(item for item in path.glob("*.parquet") if card_path(item).is_file())
    if len(found) != 1:
        raise MissingInputError(
            f"{path}: {len(found)} pair tables with a card; exactly one is wanted"
        )
    return found[0]
