"""The card as a page and a picture: every figure of the JSON is in them, and nothing breaks out."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from debias_data import BuildConfig, build
from debias_data.card_page import as_markdown, as_svg, write_page
from debias_data.cli import app

NAMES = ["<b>&", "a|b\nc"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards")
    sources = [{"kind": "synthetic", "clusters": 20}]
    for name in NAMES:
        path = folder / f"{len(name)}.csv"
        path.write_text("prompt\nHe ran.\nIt rained.\nShe walked " + "far " * 60 + "home.\n")
        sources.append({"kind": "csv", "path": str(path), "name": name, "domain": name})
    found = build(BuildConfig.model_validate({"sources": sources}))
    found.write(folder / "pairs.parquet")
    return found


def test_coverage_has_lengths_and_labels(table):
    coverage = table.card["coverage"]
    assert sum(coverage["length"].values()) == sum(coverage["origin"].values()) == 24
    assert coverage["length"]["200 to 399"] == 2
    assert coverage["origin"] == {"female": 2, "male": 2, "published": 20}
    assert 0 < coverage["length_by_origin"]["cramers_v"] <= 1


def test_markdown(table):
    page = as_markdown(table.card, title="pairs", picture="pairs.card.svg")
    assert "24 pairs in" in page
    assert table.card["sha256"] in page
    assert "| a\\|b c | neutral | 1 |" in page
    assert "Cramér's V = " in page
    assert "![how the pairs are spread](pairs.card.svg)" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").endswith("|") for line in rows)


def test_picture_is_well_formed_and_to_scale(table):
    root = ET.fromstring(as_svg(table.card))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert NAMES[0] in texts
    boxes = root.iter("{http://www.w3.org/2000/svg}rect")
    bars = [float(box.get("width")) for box in boxes if box.get("fill") != "white"]
    shares = [
        count / max(counts.values())
        for name, counts in table.card["coverage"].items()
        if not name.endswith("_by_origin")
        for count in counts.values()
    ]
    assert sorted(bars) == pytest.approx(sorted(420 * share for share in shares), abs=0.05)


def test_write_page(table, tmp_path):
    page, picture = write_page(tmp_path / "x.parquet", table.card)
    assert (page.name, picture.name) == ("x.card.md", "x.card.svg")
    assert write_page(tmp_path / "x.card.json", table.card) == (page, picture)
    assert page.read_text(encoding="utf-8").startswith("# x\n")


def test_the_command_writes_them(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("sources:\n  - {kind: synthetic, clusters: 5}\n")
    done = CliRunner().invoke(app, ["build", str(config), "-o", str(tmp_path / "p.parquet")])
    assert done.exit_code == 0, done.output
    assert {item.name for item in tmp_path.iterdir()} == {
        "c.yaml",
        "p.card.json",
        "p.card.md",
        "p.card.svg",
        "p.parquet",
    }
