"""What an evaluation found, and the file that holds it (``results.json``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from debias_eval.errors import InputError, MissingError
from debias_eval.files import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "BenchmarkResult", "Kind", "Metrics", "ModelInfo", "Results", "load_results"]

FORMAT = 1
RESULTS_FILE = "results.json"

Kind: TypeAlias = Literal["maths", "code", "bias", "quality"]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a task makes of its verdicts.

    Attributes:
        score: The headline number; None where nothing could be scored.
        interval: Its 95% interval, or None where there is none.
        n: How many items (samples, for several answers an item) the score rests on.
        k: How many of them passed; None for scores that are not shares.
        counts: Verdicts by status; they sum to everything that was asked, excluded ones too.
        details: Everything else, plain JSON values.
    """

    score: float | None
    interval: tuple[float, float] | None
    n: int
    k: int | None
    counts: Mapping[str, int]
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """One score with everything that it needs to be read."""

    score: float | None
    interval: tuple[float, float] | None
    n: int
    k: int | None
    metric: str
    kind: Kind
    higher_is_better: bool | None
    protocol: Mapping[str, object]
    protocol_hash: str
    data_sha256: str
    counts: Mapping[str, int]
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model, by content."""

    path: str
    weights_sha256: str
    tokenizer_sha256: str


@dataclass(frozen=True, slots=True)
class Results:
    """All benchmarks of one model under one back end.

    Attributes:
        model: Which model.
        backend: Which back end.
        versions: Of the packages that can change a score.
        benchmarks: Scores by result name.
        format: Of the file.
        folder: Where the rows behind the scores are; None for results that were never on disk.
    """

    model: ModelInfo
    backend: str
    versions: Mapping[str, str]
    benchmarks: Mapping[str, BenchmarkResult]
    format: int = FORMAT
    folder: Path | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return the content of ``results.json``."""
        content = asdict(self)
        content.pop("folder")  # a place on one machine is no part of a result
        return content

    def save(self, folder: Path) -> Path:
        """Write ``results.json`` into ``folder``, complete or not at all; return its path."""
        path = folder / RESULTS_FILE
        write_json(path, self.to_dict())
        return path


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _BenchmarkFile(BaseModel):
    model_config = ConfigDict(extra="ignore")
    score: _Finite | None
    interval: tuple[_Finite, _Finite] | None
    n: int
    k: int | None
    metric: str
    kind: Literal["maths", "code", "bias", "quality"]
    higher_is_better: bool | None
    protocol: dict[str, object]
    protocol_hash: str
    data_sha256: str
    counts: dict[str, int]
    details: dict[str, object]


class _ModelFile(BaseModel):
    path: str
    weights_sha256: str
    tokenizer_sha256: str


class _ResultsFile(BaseModel):
    model_config = ConfigDict(extra="ignore")
    format: Literal[1]
    model: _ModelFile
    backend: str
    versions: dict[str, str]
    benchmarks: dict[str, _BenchmarkFile]


def load_results(folder: Path | str) -> Results:
    """Return the results that a run left in ``folder``.

    Raises:
        MissingError: There is no ``results.json``.
        InputError: It is not one of ours; the message names the field.
    """
    path = Path(folder) / RESULTS_FILE
    if not path.is_file():
        raise MissingError(f"{path}: no such file; run `debias-eval run --out {folder}` first")
    try:
        file = _ResultsFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}:{where}: {first['msg']}") from error
    return Results(
        model=ModelInfo(**file.model.model_dump()),
        backend=file.backend,
        versions=file.versions,
        benchmarks={
            name: BenchmarkResult(**row.model_dump()) for name, row in file.benchmarks.items()
        },
        folder=Path(folder),
    )
