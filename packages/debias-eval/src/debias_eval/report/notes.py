"""What a reader of a report has to know, each sentence once."""

from __future__ import annotations

from debias_eval.report.inputs import ReportInput


def report_notes(report: ReportInput) -> list[str]:
    """Return the report's notes, then those of the candidates; what several share stands once."""
    names: dict[str, list[str]] = {}
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        own = [*candidate.comparison.notes, *(() if gap is None else gap.after.notes)]
        for note in dict.fromkeys(own):
            names.setdefault(note, []).append(candidate.name)
    is_alone = len(report.candidates) == 1
    shared = [note if is_alone else f"{', '.join(who)}: {note}" for note, who in names.items()]
    return list(dict.fromkeys([*report.notes, *shared]))
