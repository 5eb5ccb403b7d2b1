"""What a benchmark is: load, ask, grade, summarise, each callable alone.

``ask`` is the only part that needs a model; the other three are functions of files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from debias_eval.backends.base import Backend
    from debias_eval.jsonl import Row
    from debias_eval.protocol import Protocol as EvalProtocol
    from debias_eval.results import Kind, Metrics

__all__ = ["Batch", "GradeSettings", "Item", "Session", "Task", "TaskInfo"]


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What a list of benchmarks shows.

    Attributes:
        name: The name on the command line.
        kind: Which part of a report it belongs to.
        metric: What the headline score is.
        higher_is_better: None where the ideal is in the middle (a gap of 0).
        summary: One line for people.
        data: Files it looks for in the data folder, the first that is there.
        source: Where the data comes from, said where it is missing.
    """

    name: str
    kind: Kind
    metric: str
    higher_is_better: bool | None
    summary: str
    data: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One problem: what is shown (``prompt``) and what grading needs (``fields``, plain JSON)."""

    id: str
    prompt: str
    fields: Mapping[str, object] = field(default_factory=dict)

    def row(self) -> Row:
        """Return the item as a row of ``items.jsonl``."""
        return {"id": self.id, "prompt": self.prompt, **self.fields}

    @classmethod
    def from_row(cls, row: Row) -> Item:
        """Return the item that ``row`` wrote."""
        fields = {key: value for key, value in row.items() if key not in {"id", "prompt"}}
        return cls(str(row["id"]), str(row["prompt"]), fields)

    def text(self, name: str) -> str:
        """Return a field that is a string."""
        value = self.fields[name]
        if not isinstance(value, str):
            raise TypeError(f"item {self.id!r}: field {name!r} is {type(value).__name__}, not text")
        return value


@dataclass(frozen=True, slots=True)
class GradeSettings:
    """How grading runs; none of it should change a verdict.

    Attributes:
        level: Isolation of the executor; ``auto`` is the strongest that this machine has.
        allow_unsandboxed: Whether code may run without a sandbox; recorded with the result.
        workers: Processes; None is one a core.
        resamples: Of every bootstrap.
        on_graded: Called with the number of answers that are graded.
        python: Interpreter that programs run under, with the libraries that they may import;
            empty for the running one with the standard library alone.
    """

    level: str = "auto"
    allow_unsandboxed: bool = False
    workers: int | None = None
    resamples: int = 10_000
    on_graded: Callable[[int], None] | None = None
    python: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are computed together, each under a key of its own."""

    keys: tuple[str, ...]
    compute: Callable[[], list[Row]]


class Session(Protocol):
    """What ``ask`` gets: the model, the protocol, and a log that survives a kill."""

    @property
    def backend(self) -> Backend:
        """The model."""
        ...

    @property
    def protocol(self) -> EvalProtocol:
        """How to ask."""
        ...

    def key(self, item: Item, part: str) -> str:
        """Return the cache key of one part of an item: weights, protocol, item and part."""
        ...

    def known(self, keys: Sequence[str]) -> list[Row] | None:
        """Return the rows of ``keys`` if every one of them is in the log."""
        ...

    def collect(self, batches: Sequence[Batch]) -> dict[str, Row]:
        """Return the rows of all batches by key; compute what the log does not hold."""
        ...


class Task(ABC):
    """A benchmark. Subclasses say what it is in ``info`` and fill in the stages."""

    info: ClassVar[TaskInfo]
    responses_file: ClassVar[str] = "generations.jsonl"
    companions: ClassVar[tuple[str, ...]] = ()
    """Files that are read when the data is a folder; they make up its hash."""
    takes_file: ClassVar[bool] = False
    """Whether a single file may stand in place of such a folder."""

    @classmethod
    def variant(cls, suffix: str) -> Task | None:  # noqa: ARG003 - subclasses read it
        """Return the benchmark called ``NAME_SUFFIX``, or None where there is no such variant."""
        return None

    @abstractmethod
    def protocol(self) -> EvalProtocol:
        """Return the task's own protocol."""

    @abstractmethod
    def load(self, path: Path, protocol: EvalProtocol) -> list[Item]:
        """Return the items of a data file (or folder), in its order.

        Raises:
            InputError: ``file:line:field: what``.
        """

    @abstractmethod
    def ask(self, items: Sequence[Item], session: Session) -> list[Row]:
        """Return the model's responses, one row a sample, in the order of the items."""

    @abstractmethod
    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: EvalProtocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return one verdict ``{id, sample, status, ...}`` a response, in their order."""

    @abstractmethod
    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: EvalProtocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return the score that the verdicts add up to."""

    def side_files(
        self,
        items: Sequence[Item],  # noqa: ARG002 - subclasses read them
        verdicts: Sequence[Row],  # noqa: ARG002
    ) -> Mapping[str, Sequence[Row]]:
        """Return further JSONL files that the task leaves beside its verdicts."""
        return {}

    def warm_up(self) -> None:  # noqa: B027 - most benchmarks have nothing to start
        """Start what grading needs, without waiting for it: the model is loaded meanwhile."""

    def default_data(self) -> Path | None:
        """Return data that an installed package carries, where there is some."""
        return None
