"""A card as people read it: a page of Markdown and a picture of how the pairs are spread."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from debias_data.files import write_text

if TYPE_CHECKING:
    from debias_data.jsonl import Json

_TITLES = {
    "origin": "Gender of the given text",
    "domain": "Domain",
    "source": "Source",
    "split": "Split",
    "length": "Characters of a prompt",
}
_SPREADS = {
    "confidence": "Confidence of the swap",
    "prompt_characters": "Characters of a prompt",
    "female_minus_male_words": "Words, female − male",
    "female_minus_male_characters": "Characters, female − male",
    "female_minus_male_tokens": "Tokens, female − male",
}
_QUANTILES = ("mean", "q00", "q05", "q25", "q50", "q75", "q95", "q100")
_LARGEST_BARS = 30

# Measures of the picture, in pixels.
_LABEL, _BAR, _ROW, _MARGIN = 240, 420, 20, 16


def write_page(path: Path, card: Mapping[str, Json]) -> tuple[Path, Path]:
    """Write `NAME.card.md` and `NAME.card.svg` beside `NAME.parquet` or `NAME.card.json`.

    Raises:
        DebiasDataError: they cannot be written.
    """
    name = path.name.removesuffix(".parquet").removesuffix(".card.json")
    picture = path.with_name(f"{name}.card.svg")
    page = path.with_name(f"{name}.card.md")
    write_text(picture, as_svg(card))
    write_text(page, as_markdown(card, title=name, picture=picture.name))
    return page, picture


def as_markdown(card: Mapping[str, Json], *, title: str, picture: str) -> str:
    """The card as Markdown.

    Args:
        card: as `read_card` gives it.
        title: heading of the page.
        picture: file name of the picture.
    """
    lines = [
        f"# {title}",
        "",
        f"{card.get('pairs')} pairs in {card.get('clusters')} clusters, out of "
        f"{card.get('problems_seen')} problems. SHA-256 of the table: `{card.get('sha256')}`.",
        "",
        f"![how the pairs are spread]({picture})",
    ]
    coverage = _mapping(card.get("coverage"))
    for key, heading in _TITLES.items():
        counts = _mapping(coverage.get(key))
        total = sum(_number(count) for count in counts.values())
        lines += ["", f"## {heading}", "", "| | pairs | share |", "|---|---:|---:|"]
        lines += [
            f"| {_cell(name)} | {count} | {_number(count) / total:.1%} |"
            for name, count in counts.items()
        ]
        lines += _association(_mapping(coverage.get(f"{key}_by_origin")))
    lines += [*_spreads(card), *_left_out(card), *_near(card), *_overlaps(card)]
    return "\n".join(lines) + "\n"


def _association(found: Mapping[str, Json]) -> list[str]:
    if not found.get("degrees_of_freedom"):
        return []
    return [
        "",
        f"By the gender of the given text: χ² = {_number(found['chi_square']):.2f} "
        f"({found['degrees_of_freedom']} degrees of freedom), p = {_number(found['p']):.3g}, "
        f"Cramér's V = {_number(found['cramers_v']):.3f}.",
    ]


def _spreads(card: Mapping[str, Json]) -> list[str]:
    found = {"confidence": card.get("confidence"), **_mapping(card.get("length"))}
    lines = ["", "## Measures", "", f"| | {' | '.join(_QUANTILES)} |", "|---|" + "---:|" * 8]
    for key, name in _SPREADS.items():
        if key in found:
            values = _mapping(found[key])
            cells = " | ".join(f"{_number(values.get(quantile)):g}" for quantile in _QUANTILES)
            lines.append(f"| {name} | {cells} |")
    return lines


def _left_out(card: Mapping[str, Json]) -> list[str]:
    lines = ["", "## Left out", "", "| source | reason | problems | first |", "|---|---|---:|---|"]
    for source, counts in _mapping(card.get("sources")).items():
        for reason, entry in _mapping(_mapping(counts).get("left_out")).items():
            item = _mapping(entry)
            first = item.get("first")
            places = ", ".join(map(str, first)) if isinstance(first, list) else ""
            cells = (source, reason, str(item.get("count")), places)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return lines


def _near(card: Mapping[str, Json]) -> list[str]:
    found = card.get("near_duplicates")
    if not isinstance(found, list):
        return []
    lines = ["", "## Near-duplicates, for example", "", "| left out | like |", "|---|---|"]
    lines += [
        f"| {_cell(str(example['left_out']))} | {_cell(str(example['like']))} |"
        for example in map(_mapping, found)
    ]
    return lines


def _overlaps(card: Mapping[str, Json]) -> list[str]:
    found = _mapping(card.get("overlap"))
    if not found:
        return []
    lines = ["", "## Overlap with benchmarks", "", "| benchmark | items | pairs that overlap |"]
    lines.append("|---|---:|---:|")
    for name, entry in found.items():
        counts = _mapping(entry)
        lines.append(f"| {_cell(name)} | {counts['items']} | {counts['pairs_that_overlap']} |")
    return lines


def as_svg(card: Mapping[str, Json]) -> str:
    """The numbers of pairs as bars, one group a heading, in one picture."""
    coverage = _mapping(card.get("coverage"))
    parts: list[str] = []
    top = _MARGIN
    for key, heading in _TITLES.items():
        counts = sorted(
            ((name, _number(count)) for name, count in _mapping(coverage.get(key)).items()),
            key=lambda item: -item[1] if key in {"domain", "source"} else 0,
        )
        parts.append(f'<text x="{_MARGIN}" y="{top + 14}" font-weight="bold">{heading}</text>')
        top += _ROW
        largest = max((count for _, count in counts), default=1)
        for name, count in counts[:_LARGEST_BARS]:
            parts += _bar(name, count, largest, top)
            top += _ROW
        if len(counts) > _LARGEST_BARS:
            more = f"and {len(counts) - _LARGEST_BARS} smaller ones"
            parts.append(f'<text x="{_MARGIN}" y="{top + 14}">{more}</text>')
            top += _ROW
        top += _ROW // 2
    width = _LABEL + _BAR + 6 * _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
            'font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _bar(name: str, count: float, largest: float, top: int) -> list[str]:
    shown = name if len(name) <= 34 else f"{name[:33]}…"
    length = round(_BAR * count / largest, 1)
    return [
        f'<text x="{_LABEL}" y="{top + 14}" text-anchor="end">{escape(shown)}</text>',
        f'<rect x="{_LABEL + 6}" y="{top + 3}" width="{length}" height="14" fill="#4477aa"/>',
        f'<text x="{_LABEL + length + 12}" y="{top + 14}">{count:,.0f}</text>',
    ]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _mapping(value: Json | None) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _number(value: Json | None) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
