"""A model card for the primary candidate, with its results in the hub's ``model-index`` form.

Source: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from debias_eval.comparison.comparing import Comparison
from debias_eval.files import write_text
from debias_eval.report.inputs import ReportInput
from debias_eval.report.markdown import escape, table_text
from debias_eval.report.tables import criteria_table, main_table
from debias_eval.report.wording import headline


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the card says beside the numbers.

    Attributes:
        name: of the model.
        base_model: hub id or path of the original.
        license: hub id of the licence; None leaves it out rather than guess.
        language: codes of the languages it was evaluated in.
        tags: hub tags.
    """

    name: str
    base_model: str
    license: str | None = None
    language: tuple[str, ...] = ("en",)
    tags: tuple[str, ...] = ("gender-bias", "debiasing", "entropy-gap")


def write_model_card(report: ReportInput, card: ModelCard, out: Path) -> Path:
    """Write ``README.md`` for the primary candidate into ``out`` and return its path."""
    path = out / "README.md"
    write_text(path, render_model_card(report, card))
    return path


def render_model_card(report: ReportInput, card: ModelCard) -> str:
    """Return the card. Its header is YAML whose values are JSON, so any text in it is quoted."""
    comparison = report.primary.comparison
    header: dict[str, object] = {
        "base_model": card.base_model,
        "language": list(card.language),
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
        "tags": list(card.tags),
        "model-index": model_index(comparison, card.name),
    }
    if card.license is not None:
        header["license"] = card.license
    lines = [f"{key}: {json.dumps(value, allow_nan=False)}" for key, value in header.items()]
    body = [
        f"# {escape(card.name)}",
        f"{escape(card.base_model)} after gender debiasing by {escape(report.primary.name)}.",
        escape(headline(comparison)),
        "## Results",
        table_text(main_table(report, report.primary)),
        table_text(criteria_table(comparison)),
        "## Limits",
        "The entropy gap compares how sure the model is of its answers to prompts that differ in "
        "gender markers only. A gap of zero says nothing about other kinds of bias, other "
        "languages, or prompts unlike the held-out ones.",
    ]
    body += [f"- {escape(note)}" for note in (*report.notes, *comparison.notes)]
    return "---\n" + "\n".join(lines) + "\n---\n\n" + "\n\n".join(body) + "\n"


def model_index(comparison: Comparison, name: str) -> list[dict[str, object]]:
    """Return the ``model-index`` entry: one result a benchmark that was scored."""
    return [{"name": name, "results": list(_results(comparison))}]


def _results(comparison: Comparison) -> Iterator[dict[str, object]]:
    if comparison.gap is not None:
        gap = comparison.gap.after.gap
        yield _result("entropy_gap", "entropy gap, nats (female - male)", gap.value)
    for entry in comparison.benchmarks:
        if entry.candidate.score is not None:
            metric = f"{entry.metric}, protocol {entry.protocol_hash}"
            yield _result(entry.name, metric, entry.candidate.score)


def _result(benchmark: str, metric: str, value: float) -> dict[str, object]:
    kind = metric.split(",", maxsplit=1)[0]
    return {
        "task": {"type": "text-generation"},
        "dataset": {"name": benchmark, "type": benchmark},
        "metrics": [{"type": kind, "name": metric, "value": value, "verified": False}],
    }
