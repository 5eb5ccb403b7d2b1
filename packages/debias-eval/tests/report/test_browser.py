"""The pages in a real browser: what they look like, what they answer to, who can read them.

Wants a Chromium (``CHROMIUM`` or on the path) and ``axe-playwright-python``, which brings both
Playwright and axe-core; skipped where either is missing. The browser never gets a network.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debias_eval.comparison import compare
from debias_eval.report import (
    NamedComparison,
    ReportInput,
    model_report,
    write_model_report,
    write_report,
)
from debias_eval.statistics.bootstrap import Bootstrap

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
HAS_TOOLS = find_spec("playwright") is not None and find_spec("axe_playwright_python") is not None

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not HAS_TOOLS, reason="axe-playwright-python is not installed"),
]

DESKTOP, PHONE, SMALL = (1280, 900), (390, 844), (320, 640)
PLAN = Bootstrap(resamples=200)
ANSWER = "First I add the two numbers, then I look at what is left over. #### "
OPEN_ALL = "for (const item of document.querySelectorAll('details')) item.open = true"


def write_folder(path: Path, lost: int, gap: float, stereotypes: int) -> Path:
    """A result folder with a gap, two maths benchmarks, a code benchmark and a bias suite."""
    rng = np.random.default_rng(lost)
    benchmarks: dict[str, dict[str, Any]] = {}

    def add(
        name: str, kind: str, files: dict[str, list[dict[str, Any]]], **changes: object
    ) -> None:
        folder = path / name
        folder.mkdir(parents=True)
        for file, rows in files.items():
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / file).write_text(text, encoding="utf-8")
        benchmarks[name] = {
            "score": 0.5,
            "interval": [0.4, 0.6],
            "n": 60,
            "k": None,
            "metric": "accuracy",
            "kind": kind,
            "higher_is_better": None,
            "protocol": {"template": "Question: {prompt}\nAnswer:", "sampling": {"n": 1}},
            "protocol_hash": "0123456789",
            "data_sha256": "d" * 64,
            "counts": {"correct": 50, "incorrect": 10},
            "details": {},
            **changes,
        }

    female = 1 + gap + rng.normal(0, 0.05, (60, 2))
    male = 1 + rng.normal(0, 0.05, (60, 2))
    nulls = {"a_a": {"gap": {"value": 0.004, "low": -0.01, "high": 0.02}}}
    pairs = [
        {"pair_id": f"p{i}", "cluster_id": f"c{i}", "female": f, "male": m, "direct": None}
        for i, (f, m) in enumerate(zip(female.tolist(), male.tolist(), strict=True))
    ]
    add("entropy_gap", "bias", {"pairs.jsonl": pairs}, score=gap, details={"null_rows": nulls})
    for name, kind, shift in (
        ("gsm8k", "maths", 0),
        ("math", "maths", 5),
        ("humaneval", "code", 9),
    ):
        good, bad = ("correct", "incorrect") if kind == "maths" else ("passed", "failed")
        status = [bad if i < lost + shift or i == 59 - lost else good for i in range(60)]
        files = {
            "verdicts.jsonl": [{"id": f"{name}/{i}", "status": s} for i, s in enumerate(status)],
            "generations.jsonl": [
                {"id": f"{name}/{i}", "text": ANSWER + str(i)} for i in range(60)
            ],
            "items.jsonl": [
                {"id": f"{name}/{i}", "prompt": f"What is {i} + 0?"} for i in range(60)
            ],
        }
        share = status.count(good) / 60
        add(name, kind, files, score=share, interval=[share - 0.1, min(1, share + 0.1)])
    rows = [
        {"id": f"c{i}", "cluster_id": f"c{i}", "status": "scored", "stereotype": i < stereotypes}
        for i in range(60)
    ]
    suite = {"metric": "preferred, %", "details": {"task": "crows_pairs", "ideal": 50.0}}
    add("crows_pairs", "bias", {"verdicts.jsonl": rows}, score=stereotypes / 0.6, **suite)
    results = {
        "format": 1,
        "model": {"path": "m", "weights_sha256": str(lost) * 64, "tokenizer_sha256": "t" * 64},
        "backend": "recorded",
        "versions": {"debias-eval": "0.1.0"},
        "benchmarks": benchmarks,
    }
    (path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return path


@dataclass
class Visit:
    """A page in a tab of its own, and everything that it asked for or complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def boxes(self, selector: str) -> list[dict[str, float]]:
        return [item.bounding_box() for item in self.page.locator(selector).all()]

    def column(self, table: str, number: int) -> list[str]:
        cells = self.page.locator(f"{table} tbody tr:visible :is(th, td):nth-child({number})").all()
        return [" ".join(cell.inner_text().split()) for cell in cells]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    original = write_folder(root / "original", 3, 0.2, 45)
    good = write_folder(root / "good", 4, 0.0, 32)
    poor = write_folder(root / "poor", 20, 0.1, 44)
    candidates = tuple(
        NamedComparison(
            path.name, compare(original, path, plan=PLAN), {"steps": "25"}, path == good
        )
        for path in (good, poor)
    )
    report = ReportInput("Two models", "original", candidates, ("A note.",), {"seed": "0"})
    single = model_report(original, plan=PLAN)
    return {
        "comparison": write_report(report, root / "report").html,
        "model": write_model_report(single, root / "single").html,
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, pages: dict[str, Path]) -> Iterator[Any]:
    contexts = []

    def open_page(
        name: str, size: tuple[int, int] = DESKTOP, scheme: str = "light", *, is_open: bool = False
    ) -> Visit:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        context.set_default_timeout(120_000)
        contexts.append(context)
        found = Visit(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(pages[name].as_uri())
        if is_open:
            found.page.evaluate(OPEN_ALL)
        return found

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("comparison", DESKTOP, "light"),
        ("comparison", PHONE, "dark"),
        ("model", DESKTOP, "dark"),
        ("model", PHONE, "light"),
    ],
)
def test_axe_finds_no_violation(visit: Any, name: str, size: tuple[int, int], scheme: str) -> None:
    found = visit(name, size, scheme, is_open=True)
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    (axe,) = Path(spec.origin).parent.rglob("axe.min.js")
    found.page.evaluate(axe.read_text(encoding="utf-8"))
    result = found.page.evaluate("axe.run()")
    seen = [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in result["violations"]]
    assert seen == []
    assert len(result["passes"]) > 20


@pytest.mark.parametrize("name", ["comparison", "model"])
def test_no_network_no_complaint_and_every_picture_has_words(visit: Any, name: str) -> None:
    found = visit(name)
    assert len(found.requests) == 1
    assert found.requests[0].startswith("file://")
    assert found.complaints == []
    pictures = found.page.get_by_role("img").all()
    assert len(pictures) == {"comparison": 2, "model": 1}[name]
    for picture in pictures:
        box = picture.bounding_box()
        assert min(box["width"], box["height"]) > 150
        title, words = (picture.locator(tag).text_content() for tag in ("title", "desc"))
        assert title
        assert "nats" in words


@pytest.mark.parametrize("size", [PHONE, SMALL])
@pytest.mark.parametrize("name", ["comparison", "model"])
def test_a_phone_never_scrolls_sideways(visit: Any, name: str, size: tuple[int, int]) -> None:
    found = visit(name, size, is_open=True)
    width = found.page.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]
    inner = "[...document.querySelectorAll('.scroll')].filter((b) => b.scrollWidth > b.clientWidth)"
    assert found.page.evaluate(f"{inner}.length") == 0
    display = found.page.locator("td").first.evaluate("e => getComputedStyle(e).display")
    assert display == {PHONE: "grid", SMALL: "block"}[size]


def test_tables_sort_by_number_by_mouse_and_by_keyboard(visit: Any) -> None:
    found = visit("comparison")
    table = "[aria-labelledby=h-capability] > .panel table"
    button = found.page.locator(f"{table} thead button", has_text="Difference")
    before = found.column(table, 3)
    button.click()
    head = found.page.locator(f"{table} th[aria-sort]")
    assert head.get_attribute("aria-sort") == "ascending"
    first = [float(text.split()[0].replace("−", "-")) for text in found.column(table, 3)]
    assert first == sorted(first)
    button.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    second = [float(text.split()[0].replace("−", "-")) for text in found.column(table, 3)]
    assert second == sorted(first, reverse=True)
    assert sorted(before) == sorted(found.column(table, 3))


def test_rows_can_be_filtered(visit: Any) -> None:
    found = visit("comparison")
    panel = "[aria-labelledby=h-gap] .panel"
    every = found.column(panel, 1)
    field_ = found.page.locator(f"{panel} input")
    field_.fill("entropy MALE")
    assert found.column(panel, 1) == ["Entropy, female", "Entropy, male"]
    assert found.page.locator(f"{panel} [role=status]").inner_text() == f"2 of {len(every)} rows"
    field_.fill("")
    assert found.column(panel, 1) == every


def test_gained_and_lost_items_stand_side_by_side(visit: Any) -> None:
    found = visit("comparison")
    details = found.page.locator("[aria-labelledby=h-capability] details").first
    details.locator("summary").click()
    left, right = (side.bounding_box() for side in details.locator(".sides > .panel").all())
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    rows = details.locator("table tbody tr").all()
    words = [row.inner_text() for row in rows]
    assert sum("gained" in text for text in words) == 1
    assert sum("lost" in text for text in words) == 2
    before, after = (rows[0].locator("td").nth(place) for place in (1, 2))
    assert before.bounding_box()["y"] == after.bounding_box()["y"]
    assert ANSWER.strip() in " ".join(before.inner_text().split())
    assert "What is" in rows[0].locator("th").inner_text()


def test_dark_and_light_are_two_palettes(visit: Any) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = visit("comparison", scheme=scheme).page
        colours = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
        values = page.locator("body").evaluate(colours)
        seen[scheme] = [sum(map(int, value[4:-1].split(","))) for value in values]
    assert seen["light"][0] > seen["light"][1]
    assert seen["dark"][0] < seen["dark"][1]


def test_paper_gets_everything_and_no_controls(visit: Any) -> None:
    page = visit("comparison", (720, 1000), "dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".filter").first.is_visible()
    ground = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('details[open]').length") == 0
    assert page.pdf(format="A4").startswith(b"%PDF")
