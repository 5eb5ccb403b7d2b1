from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from debias_eval.comparison import Comparison
from debias_eval.comparison.examples import Answer, ChangedItem
from debias_eval.errors import InputError
from debias_eval.report import (
    ModelCard,
    NamedComparison,
    ReportInput,
    write_model_card,
    write_report,
)
from debias_eval.report.figures import pareto_scene
from debias_eval.report.gap_figure import gap_scene
from debias_eval.report.html import render_html
from debias_eval.report.markdown import render_markdown
from debias_eval.report.model_card import render_model_card
from debias_eval.report.notes import report_notes
from debias_eval.report.page import keep_intervals
from debias_eval.report.scene import Line, Scene, Text, to_svg

MakeReport = Callable[..., ReportInput]
MakeComparison = Callable[..., Comparison]

HOSTILE = "<script>alert('x')</script>\"&|`*[a](javascript:alert(1))"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Collects tags, attributes, tables and visible text, and checks that tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"script", "style"} & set(self._open):
            return
        self.text.append(data)
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += " " + data.strip()

    def rows(self, caption_table: int) -> list[list[str]]:
        return [[" ".join(cell.split()) for cell in row] for row in self.tables[caption_table]]

    @property
    def visible(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_first_the_verdict_then_the_table(make_report: MakeReport) -> None:
    page = Page(render_html(make_report()))
    assert "All success criteria are met" in page.visible
    assert re.search(
        r"The entropy gap went from \+0\.1\d\d \[.*\] to .* nats, all inside ±0\.02", page.visible
    )
    head, gap, gsm8k, *_ = page.rows(0)
    assert head == ["Measure", "Original", "Debiased", "Change", "Verdict"]
    assert gap[0].startswith("Entropy gap")
    assert gap[4].startswith("improved")
    assert gsm8k[1] == "80.0% [70.0, 90.0]"
    assert gsm8k[3].startswith("0.0 pp [−0.8, +0.8]")
    assert gsm8k[4] == "preserved allowed drop 4.0 pp"
    assert page.visible.index("The entropy gap went") < page.visible.index("Measure")


def test_every_candidate_is_shown_as_it_is(make_report: MakeReport) -> None:
    page = Page(render_html(make_report()))
    (table,) = (
        rows for i in range(len(page.tables)) if (rows := page.rows(i))[0][0] == "Candidate"
    )
    names = [row[0] for row in table[1:]]
    assert names == ["constrained primary", "gee", "pure"]
    criteria = [row[5] for row in table[1:]]
    assert criteria[0] == "3 of 3 met"
    assert criteria[2] == "2 of 3 met"
    assert table[3][3].startswith("50.0%")


def test_how_each_candidate_was_made(make_report: MakeReport) -> None:
    page = Page(render_html(make_report()))
    (table,) = (rows for i in range(len(page.tables)) if (rows := page.rows(i))[0][0] == "Training")
    assert table == [["Training", "constrained", "gee", "pure"], ["steps", "25", "–", "–"]]


def test_lengths_ends_nulls_and_resolution_are_there(make_report: MakeReport) -> None:
    page = Page(render_html(make_report()))
    (table,) = (rows for i in range(len(page.tables)) if (rows := page.rows(i))[0][0] == "Quantity")
    rows = {row[0]: row[1:] for row in table}
    assert rows["Answer length, tokens, female"][0] in {"41.2", "41.3"}
    assert rows["Ended by EOS, female"][0] == "97.0%"
    assert rows["Null: A/A (male − male)"][0] == "−0.003 [−0.011, +0.006]"
    assert rows["Null: Shuffled labels"][0] == "+0.004"
    assert "Resolution (95%, power 80%)" in rows
    assert rows["Pairs · clusters · answers a side"][0] == "80 · 80 · 2"
    assert "Ended by EOS, male" not in rows, "what was not recorded is not shown"


def test_lost_items_are_listed_and_long_lists_are_cut(make_report: MakeReport) -> None:
    report = make_report()
    worst = replace(report.candidates[2], is_primary=True)
    page = Page(render_html(replace(report, candidates=(worst,))))
    assert "gsm8k: items gained 0, lost 200" in page.visible
    assert "gsm8k/39" in page.visible
    assert "gsm8k/40" not in page.visible
    assert "160 more in" in page.visible


def test_answers_to_changed_items_stand_side_by_side(make_report: MakeReport) -> None:
    report = make_report()
    primary = report.primary
    entry = primary.comparison.benchmarks[0]
    assert entry.test is not None
    item = ChangedItem(
        "gsm8k/0",
        "lost",
        "How many?",
        Answer("correct", "15", "It is 15."),
        Answer("x", "", HOSTILE),
    )
    test = replace(entry.test, lost=("gsm8k/0", "gsm8k/1"), examples=(item,))
    comparison = replace(primary.comparison, benchmarks=(replace(entry, test=test),))
    only = (replace(primary, comparison=comparison),)
    page = Page(render_html(replace(report, candidates=only)))
    (table,) = (rows for i in range(len(page.tables)) if (rows := page.rows(i))[0][0] == "Item")
    assert table[0] == ["Item", "Change", "the original", "constrained"]
    assert table[1][0] == "gsm8k/0 How many?"
    assert table[1][1:3] == ["lost", "correct read as 15 It is 15."]
    assert HOSTILE in table[1][3]
    assert "1 of 2" in page.visible


def test_a_note_of_several_candidates_stands_once(make_report: MakeReport) -> None:
    report = make_report()
    notes = (("Own.", "Shared."), ("Shared.",), ("Shared.",))
    candidates = tuple(
        replace(named, comparison=replace(named.comparison, notes=own))
        for named, own in zip(report.ordered, notes, strict=True)
    )
    found = report_notes(replace(report, candidates=candidates))
    assert found[0] == "A note."
    assert {"constrained: Own.", "constrained, gee, pure: Shared."} <= set(found)
    alone = report_notes(replace(report, candidates=candidates[:1]))
    assert {"Own.", "Shared."} <= set(alone)


def test_no_interval_is_broken_over_two_lines() -> None:
    assert keep_intervals("a [+1, +2] b") == "a [+1,\N{NO-BREAK SPACE}+2] b"
    assert keep_intervals("[" + "long " * 20 + "]") == "[" + "long " * 20 + "]"


def test_the_page_asks_the_network_for_nothing(make_report: MakeReport) -> None:
    text = render_html(make_report())
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in text
    assert "url(" not in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert "default-src 'none'" in (policy or "")


def test_tables_sort_by_number_and_pictures_have_text(make_report: MakeReport) -> None:
    text = render_html(make_report())
    page = Page(text)
    assert any("data-sort" in attributes for tag, attributes in page.tags if tag == "td")
    assert sum(tag == "button" for tag, _ in page.tags) > 10
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 2
    for picture in pictures:
        root = ET.fromstring(picture)
        space = "{http://www.w3.org/2000/svg}"
        assert root.get("role") == "img"
        ids = {element.get("id") for element in root}
        assert set((root.get("aria-labelledby") or "").split()) <= ids
        assert root.findtext(f"{space}title")
        assert "constrained" in (root.findtext(f"{space}desc") or "")


def hostile_report(make_report: MakeReport, make_comparison: MakeComparison) -> ReportInput:
    comparison = make_comparison(names=(HOSTILE,), lost=3)
    return make_report(
        title=HOSTILE,
        baseline_name=HOSTILE,
        candidates=(
            NamedComparison(
                HOSTILE,
                replace(comparison, notes=(HOSTILE,)),
                {HOSTILE: HOSTILE},
                is_primary=True,
            ),
            NamedComparison(HOSTILE + "2", comparison),
        ),
        notes=(HOSTILE,),
        provenance={HOSTILE: HOSTILE},
    )


def test_hostile_text_stays_text(make_report: MakeReport, make_comparison: MakeComparison) -> None:
    report = hostile_report(make_report, make_comparison)
    text = render_html(report)
    page = Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert "<script>alert" not in text
    assert "<script>alert('x')</script>" in page.visible


def test_hostile_text_stays_text_in_markdown(
    make_report: MakeReport, make_comparison: MakeComparison
) -> None:
    report = hostile_report(make_report, make_comparison)
    for text in (render_markdown(report), render_model_card(report, ModelCard(HOSTILE, HOSTILE))):
        body = text.split("---\n")[-1]
        assert "<script>" not in body
        assert not re.search(r"(?<!\\)\]\(javascript", body)
        bars = 0
        for line in body.splitlines():
            found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert found in {0, bars} or not bars, line
            bars = found


def test_hostile_text_stays_text_in_pictures() -> None:
    shapes = [Text((1, 2), HOSTILE + "\x00\x1b"), Line((0, 0), (1, 1), "ink")]
    scene = Scene("n", (10, 10), shapes, HOSTILE, "d\x0b")
    root = ET.fromstring(to_svg(scene, themed=True))
    assert {element.tag.split("}")[1] for element in root.iter()} == {
        "svg",
        "title",
        "desc",
        "text",
        "line",
    }


def test_all_files_are_written(make_report: MakeReport, tmp_path: Path) -> None:
    paths = write_report(make_report(), tmp_path / "report")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        "report.html",
        "report.md",
        "report.json",
        "gap.svg",
        "gap.png",
        "pareto.svg",
        "pareto.png",
    }
    for path in paths.pictures:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        else:
            assert "var(" not in path.read_text(), "a file has no page to take colours from"
    content = json.loads(paths.json.read_text())
    assert content["primary"] == "constrained"
    assert content["met"] is True
    assert content["verdict"] == "improved"
    assert content["candidates"][0]["comparison"]["gap"]["after"]["verdict"] == "equivalent"
    assert "gap.svg" in paths.markdown.read_text()


def test_the_same_report_gives_the_same_bytes(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report()
    first, second = (write_report(report, tmp_path / name) for name in ("a", "b"))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert first.pictures != second.pictures


def test_pictures_of_an_earlier_report_do_not_stay(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report()
    write_report(report, tmp_path)
    blind = replace(report.primary.comparison, gap=None)
    only = (NamedComparison("constrained", blind, is_primary=True),)
    paths = write_report(replace(report, candidates=only), tmp_path)
    assert paths.pictures == ()
    assert not (tmp_path / "gap.svg").exists()
    assert "svg)" not in paths.markdown.read_text()
    assert "The entropy gap was not compared." in paths.html.read_text()


def test_a_gap_that_was_never_there_is_said_to_be_so(
    make_report: MakeReport, make_comparison: MakeComparison
) -> None:
    comparison = make_comparison(before=0.0, base=0)
    report = make_report(candidates=(NamedComparison("constrained", comparison, is_primary=True),))
    page = Page(render_html(report))
    assert "cannot be told from 0, so nothing could have been improved" in page.visible
    assert "Capability cannot be shown on gsm8k, math." in page.visible
    assert "no relative change" in page.visible
    table = page.rows(0)
    assert not any(row[4].startswith(("improved", "preserved")) for row in table[1:])
    assert table[2][4] == "cannot be shown the original solved nothing"


def test_missing_parts_leave_the_score_open(
    make_report: MakeReport, make_comparison: MakeComparison
) -> None:
    report = make_report(
        candidates=(NamedComparison("constrained", make_comparison(), is_primary=True),)
    )
    page = Page(render_html(report))
    (table,) = (rows for i in range(len(page.tables)) if (rows := page.rows(i))[0][0] == "Part")
    total = table[-1]
    assert total[2] == "not measured"
    assert total[3] == "Missing: code, efficiency."


@pytest.mark.parametrize("primaries", [0, 2])
def test_exactly_one_candidate_is_primary(make_comparison: MakeComparison, primaries: int) -> None:
    comparison = make_comparison()
    candidates = tuple(
        NamedComparison(str(i), comparison, is_primary=i < primaries) for i in range(2)
    )
    with pytest.raises(InputError, match="exactly one"):
        ReportInput("t", "b", candidates)


def test_names_and_originals_must_fit(make_comparison: MakeComparison) -> None:
    comparison = make_comparison()
    first = NamedComparison("a", comparison, is_primary=True)
    with pytest.raises(InputError, match="one name"):
        ReportInput("t", "b", (first, NamedComparison("a", comparison)))
    other = replace(comparison, baseline=replace(comparison.baseline, weights_sha256="f" * 64))
    with pytest.raises(InputError, match="different originals"):
        ReportInput("t", "b", (first, NamedComparison("b", other)))


def test_the_picture_of_gaps_is_to_scale(make_report: MakeReport) -> None:
    scene = gap_scene(make_report())
    assert scene is not None
    bars = [s for s in scene.shapes if isinstance(s, Line) and s.width == 3.0]
    assert len(bars) == 4
    original, primary = bars[0], bars[1]
    assert min(original.start[0], original.end[0]) > max(primary.start[0], primary.end[0])
    assert original.start[1] < primary.start[1]


def test_labels_of_the_pareto_picture_stay_on_it(make_report: MakeReport) -> None:
    scene = pareto_scene(make_report())
    assert scene is not None
    for shape in scene.shapes:
        if isinstance(shape, Text):
            assert 0 <= shape.at[0] <= scene.size[0]
            assert 0 <= shape.at[1] <= scene.size[1]


def test_no_picture_without_capability(
    make_report: MakeReport, make_comparison: MakeComparison
) -> None:
    comparison = make_comparison(names=())
    report = make_report(candidates=(NamedComparison("c", comparison, is_primary=True),))
    assert pareto_scene(report) is None
    assert "No capability was measured." in render_html(report)


def test_the_model_card_has_a_model_index(make_report: MakeReport, tmp_path: Path) -> None:
    card = ModelCard("tiny-debiased", "tiny", license="apache-2.0")
    path = write_model_card(make_report(), card, tmp_path)
    text = path.read_text()
    assert path.name == "README.md"
    header = dict(line.split(": ", 1) for line in text.split("---\n")[1].strip().splitlines())
    (entry,) = json.loads(header["model-index"])
    assert entry["name"] == "tiny-debiased"
    assert [r["dataset"]["name"] for r in entry["results"]] == ["entropy_gap", "gsm8k", "math"]
    assert entry["results"][1]["metrics"][0]["value"] == 0.8
    assert json.loads(header["license"]) == "apache-2.0"
    assert "A gap of zero says nothing" in text


def test_a_licence_is_never_guessed(make_report: MakeReport) -> None:
    text = render_model_card(make_report(), ModelCard("a", "b"))
    assert "license" not in text.split("---\n")[1]
