"""What a source yields, and how sources are found by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from debias_data.config import Operation
from debias_data.errors import BadConfigError

ENTRY_POINT_GROUP = "debias_data.sources"
MAX_TEXT_CHARS = 1_000_000


# Items are tuples because millions of them go to worker processes: a tuple is pickled fastest.


class Problem(NamedTuple):
    """One problem text, to be made into a pair.

    Attributes:
        place: where it was read, `FILE:ROW`.
        cluster: what it shares with its near relatives; None takes the hash of the text.
        variant: which of the mark templates is used when gender is brought in.
    """

    text: str
    reference: str | None
    source: str
    domain: str
    place: str
    operation: Operation = "swap"
    cluster: str | None = None
    variant: int = 0


class Prompt(NamedTuple):
    """One side of a ready pair; `spans` None lets the builder read them."""

    text: str
    reference: str | None = None
    spans: tuple[tuple[int, int, str], ...] | None = None


class Pair(NamedTuple):
    """A pair that the source itself brings, both sides."""

    pair_id: str
    cluster_id: str
    female: Prompt
    male: Prompt
    source: str
    domain: str


class Skipped(NamedTuple):
    """A row that the source left out, with the reason; counted and listed in the card."""

    reason: str
    place: str
    source: str


Item = Problem | Pair | Skipped
Reader = Callable[..., Iterator[Item]]

_READERS: dict[str, Reader] = {}
_MODULES = {
    "numina": "numina",
    "one_shot_rlvr": "one_shot_rlvr",
    "winogender": "winogender",
    "winobias": "winobias",
    "synthetic": "synthetic",
    "jsonl": "generic",
    "csv": "generic",
    "parquet": "generic",
    "hub": "hub",
}


def register(name: str) -> Callable[[Reader], Reader]:
    """Make a reader known under `name`; it takes the source's config and yields items.

    A third-party reader takes `options: dict` and is registered by an entry point of the group
    `debias_data.sources` whose value is the reader.
    """

    def add(reader: Reader) -> Reader:
        _READERS[name] = reader
        return reader

    return add


def source_names() -> list[str]:
    """All names that `get_reader` knows, plug-ins included."""
    return sorted({*_MODULES, *_READERS, *(point.name for point in _plugins())})


def get_reader(name: str) -> Reader:
    """The reader registered under `name`.

    Raises:
        BadConfigError: there is none, or the plug-in that brings it does not load.
    """
    if name in _MODULES and name not in _READERS:
        import_module(f"debias_data.sources.{_MODULES[name]}")
    if name not in _READERS:
        for point in _plugins():
            if point.name == name:
                _READERS[name] = _load(point)
    if name not in _READERS:
        known = source_names()
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
        raise BadConfigError(f"there is no source {name!r}{hint}")
    return _READERS[name]


def _plugins() -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINT_GROUP))


def _load(point: EntryPoint) -> Reader:
    try:
        reader = point.load()
    except Exception as error:
        raise BadConfigError(f"source plug-in {point.name!r} ({point.value}): {error}") from error
    if not callable(reader):
        raise BadConfigError(f"source plug-in {point.name!r} ({point.value}) is not callable")
    return reader  # type: ignore[no-any-return]  # foreign code; checked to be callable
