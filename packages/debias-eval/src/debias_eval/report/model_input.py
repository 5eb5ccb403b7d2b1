"""What the report of one model alone is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from debias_eval.comparison.gaps import GAP, measured_groups
from debias_eval.comparison.loading import open_results
from debias_eval.report.gap_table import GapColumn
from debias_eval.results import BenchmarkResult, Results
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.statistics.gap import gap_statistics


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Everything that a report of one model shows.

    Attributes:
        title: heading.
        name: what the report calls the model.
        results: of its evaluation.
        gap: its entropy gap; None where it was not measured.
        notes: sentences that a reader has to know.
        provenance: label and text: versions, hashes, seeds, hardware.
    """

    title: str
    name: str
    results: Results
    gap: GapColumn | None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def benchmarks(self) -> Mapping[str, BenchmarkResult]:
        """Every benchmark but the entropy gap, by name."""
        shown = self.results.benchmarks.items()
        return {name: row for name, row in shown if self.gap is None or name != GAP}


def model_report(
    source: Path | str | Results,
    *,
    title: str = "Evaluation of one model",
    gap_margin: float = 0.02,
    notes: tuple[str, ...] = (),
    provenance: Mapping[str, str] | None = None,
    plan: Bootstrap | None = None,
) -> ModelReport:
    """Return what one evaluation left in its folder, with the gap judged against a margin.

    Args:
        source: the folder of an evaluation, or ``Results`` that know their folder.
        title: heading.
        gap_margin: half-width of the zone that counts as no gap, nats.
        notes: sentences that a reader has to know.
        provenance: label and text, beside what the results themselves say.
        plan: resamples and seed of the gap's intervals.

    Raises:
        MissingError: there is no ``results.json``, or an entropy gap without its pairs.
        InputError: a file that is damaged.
    """
    folder, plan = open_results(source), plan or Bootstrap()
    results = folder.results
    gap = None
    measured = folder.benchmarks.get(GAP)
    if measured is not None and measured.score is not None:
        found = gap_statistics(
            folder.pairs(GAP), margin=gap_margin, resamples=plan.resamples, seed=plan.seed
        )
        groups = measured_groups(folder, margin=gap_margin, plan=plan)
        gap = GapColumn("Value", found, measured.details, groups)
    own = {
        "model": results.model.path,
        "sha256 of the weights": results.model.weights_sha256,
        "sha256 of the tokenizer": results.model.tokenizer_sha256,
        "back end": results.backend,
        **{f"version of {name}": version for name, version in results.versions.items()},
    }
    return ModelReport(
        title=title,
        name=Path(results.model.path).name or results.model.path,
        results=results,
        gap=gap,
        notes=(*notes, *(() if gap is None else gap.gap.notes)),
        provenance={**own, **(provenance or {})},
    )
