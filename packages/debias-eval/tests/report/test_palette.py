"""Can the colours of the page be read, in the light, in the dark and inside the pictures?"""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

TEXT = [
    ("ink", "page"), ("ink", "card"), ("muted", "page"), ("muted", "card"),
    ("ink", "zone"), ("muted", "zone"), ("good-ink", "good"), ("bad-ink", "bad"),
    ("open-ink", "open"), ("plain-ink", "plain"),
]  # fmt: skip
MARKS = [("accent", "card"), ("other", "card"), ("accent", "zone"), ("other", "zone")]
EDGES = [("edge", "card"), ("edge", "page")]


def palettes() -> dict[str, dict[str, str]]:
    css = (files("debias_eval.report") / "templates" / "report.css").read_text(encoding="utf-8")
    roots = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root)) for root in roots]
    return {"light": found[0], "dark": {**found[0], **found[1]}}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """WCAG 2.2: (lighter + 0.05)/(darker + 0.05)."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_by_hand() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_4_5_to_1_and_marks_3_to_1(scheme: str) -> None:
    colours = palettes()[scheme]
    for pairs, least in ((TEXT, 4.5), (MARKS + EDGES, 3.0)):
        for front, back in pairs:
            ratio = contrast(colours[front], colours[back])
            assert ratio >= least, f"{front} on {back}: {ratio:.2f}"
