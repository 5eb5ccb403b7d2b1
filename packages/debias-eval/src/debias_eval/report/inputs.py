"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from debias_eval.comparison.comparing import Comparison
from debias_eval.errors import InputError


@dataclass(frozen=True, slots=True)
class NamedComparison:
    """One candidate.

    Attributes:
        name: what the report calls it, for example the objective.
        comparison: the candidate beside the original.
        training: how it was made, as label and text; shown as it is.
        is_primary: whether the report's verdict is about this one.
    """

    name: str
    comparison: Comparison
    training: Mapping[str, str] = field(default_factory=dict)
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class ReportInput:
    """Everything that a report shows.

    Attributes:
        title: heading.
        baseline_name: what the report calls the original.
        candidates: one or more, exactly one of them primary, each under a name of its own, all
            compared with the same original.
        notes: sentences that a reader has to know.
        provenance: label and text: versions, hashes, seeds, hardware.
    """

    title: str
    baseline_name: str
    candidates: tuple[NamedComparison, ...]
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) < len(names):
            raise InputError(f"report: two candidates of one name: {', '.join(names)}")
        primaries = [c.name for c in self.candidates if c.is_primary]
        if len(primaries) != 1:
            found = ", ".join(primaries) or "none"
            raise InputError(f"report: exactly one candidate must be primary, found {found}")
        originals = {c.comparison.baseline.weights_sha256 for c in self.candidates}
        if len(originals) > 1:
            raise InputError("report: the candidates were compared with different originals")

    @property
    def primary(self) -> NamedComparison:
        """The candidate that the verdict is about."""
        return next(candidate for candidate in self.candidates if candidate.is_primary)

    @property
    def ordered(self) -> tuple[NamedComparison, ...]:
        """The primary first, the others in the order given."""
        others = (candidate for candidate in self.candidates if not candidate.is_primary)
        return (self.primary, *others)
