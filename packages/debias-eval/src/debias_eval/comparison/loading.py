"""What an evaluation left in its folder, as a comparison needs it: outcomes by item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from debias_eval.errors import InputError
from debias_eval.jsonl import Row, read_models, read_rows
from debias_eval.results import BenchmarkResult, Results, load_results
from debias_eval.statistics.gap import PairEntropies
from debias_eval.statistics.groups import GroupEntropies

RIGHT = {"maths": "correct", "code": "passed"}
"""The one status that counts as right, by kind of benchmark."""

# About the data or the machine, never about the model: such samples count for neither side.
_EXCLUDED = frozenset({"gold_error", "infra_error"})
# An answer that could not be read, in the words of the maths and of the code graders.
_UNPARSED = frozenset({"unparsed", "empty", "no_code"})
_TRUNCATED = "length"


class _VerdictRow(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)
    id: str
    sample: int = Field(default=0, ge=0)
    status: str
    finish_reason: str | None = None
    cluster_id: str | None = None


class _PairRow(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )
    pair_id: str
    cluster_id: str
    female: tuple[float, ...] = Field(min_length=1)
    male: tuple[float, ...] = Field(min_length=1)
    direct: float | None = None


class _GroupRow(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )
    id: str
    cluster_id: str
    groups: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One model on one benchmark, item by item.

    Attributes:
        shares: by item, the share of its counted samples that were right, 0 to 1.
        clusters: by item, what it was made from; the item itself where nothing is known.
        excluded: items without a sample that counts (broken gold answer or machine).
        num_samples: most samples of one item.
        unparsed_rate: share of all samples without a readable answer.
        truncated_rate: share of all samples cut off at the length limit; None if not recorded.
    """

    shares: Mapping[str, float]
    clusters: Mapping[str, str]
    excluded: frozenset[str]
    num_samples: int
    unparsed_rate: float
    truncated_rate: float | None

    @property
    def ids(self) -> frozenset[str]:
        """All items that were asked."""
        return frozenset(self.clusters)


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """Results together with the folder that holds their rows."""

    results: Results
    folder: Path

    @property
    def benchmarks(self) -> Mapping[str, BenchmarkResult]:
        """Scores by name."""
        return self.results.benchmarks

    def outcomes(self, name: str) -> Outcomes:
        """Return the outcomes of a benchmark whose answers are right or wrong.

        Raises:
            MissingError: its ``verdicts.jsonl`` is not there.
            InputError: ``file:line:field: what``, or one sample twice.
        """
        path = self.part(name) / "verdicts.jsonl"
        return _outcomes(read_models(path, _VerdictRow), RIGHT[self.benchmarks[name].kind], path)

    def verdicts(self, name: str) -> tuple[Path, list[Row]]:
        """Return the verdicts of any benchmark as they stand in their file, and the file.

        Raises:
            MissingError: its ``verdicts.jsonl`` is not there.
            InputError: ``file:line: what``.
        """
        path = self.part(name) / "verdicts.jsonl"
        return path, [row for _, row in read_rows(path)]

    def pairs(self, name: str) -> list[PairEntropies]:
        """Return the pairs of an entropy gap.

        Raises:
            MissingError: its ``pairs.jsonl`` is not there.
            InputError: ``file:line:field: what``.
        """
        rows = read_models(self.part(name) / "pairs.jsonl", _PairRow)
        return [
            PairEntropies(row.pair_id, row.cluster_id, row.female, row.male, row.direct)
            for row in rows
        ]

    def groups(self, name: str) -> list[GroupEntropies]:
        """Return the entropies of an entropy gap over more than two groups; none if there are two.

        They stand in ``groups.jsonl``: ``{id, cluster_id, groups: {name: [h...]}}``.

        Raises:
            InputError: ``file:line:field: what``.
        """
        path = self.part(name) / "groups.jsonl"
        if not path.is_file():
            return []
        rows = read_models(path, _GroupRow)
        return [GroupEntropies(row.id, row.cluster_id, row.groups) for row in rows]

    def part(self, name: str) -> Path:
        """Return the folder of a benchmark.

        Raises:
            InputError: the name is no folder name.
        """
        # The name comes from a file and becomes a path: it must stay inside the folder.
        if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
            raise InputError(f"{self.folder}: benchmark name {name!r} is not a folder name")
        return self.folder / name


def open_results(source: Path | str | Results) -> ResultFolder:
    """Return the results in a folder, ready to be compared.

    Args:
        source: the folder of an evaluation, or ``Results`` that know their folder.

    Raises:
        MissingError: there is no ``results.json``.
        InputError: it is not one of ours, or the results do not say where their rows are.
    """
    if isinstance(source, Results):
        if source.folder is None:
            raise InputError(
                "a comparison is paired item by item and needs the rows on disk: "
                "give the folder that the evaluation wrote (its `out`)"
            )
        return ResultFolder(source, source.folder)
    return ResultFolder(load_results(source), Path(source))


def _outcomes(rows: list[_VerdictRow], right: str, path: Path) -> Outcomes:
    samples: dict[str, list[bool]] = defaultdict(list)
    clusters: dict[str, str] = {}
    seen: set[tuple[str, int]] = set()
    for row in rows:
        if (row.id, row.sample) in seen:
            raise InputError(f"{path}: item {row.id!r} has sample {row.sample} twice")
        seen.add((row.id, row.sample))
        clusters.setdefault(row.id, row.cluster_id or row.id)
        if row.status not in _EXCLUDED:
            samples[row.id].append(row.status == right)
    reasons = [row.finish_reason for row in rows if row.finish_reason is not None]
    return Outcomes(
        shares={item: sum(values) / len(values) for item, values in samples.items()},
        clusters=clusters,
        excluded=frozenset(clusters.keys() - samples.keys()),
        num_samples=max(map(len, samples.values()), default=0),
        unparsed_rate=sum(row.status in _UNPARSED for row in rows) / len(rows),
        truncated_rate=reasons.count(_TRUNCATED) / len(reasons) if reasons else None,
    )
