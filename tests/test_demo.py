"""`debias-cli demo`: the planted gap goes, the abilities stay, and the report says how it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(
    debias_cli: Callable[..., CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    done = debias_cli("demo", "--json", cwd=tmp_path_factory.mktemp("demo"))
    assert done.returncode == 0, done.stderr
    page = Path(json.loads(done.stdout)["report"])
    assert page.stat().st_size > 0
    found: dict[str, Any] = json.loads(page.with_name("report.json").read_text())
    return found


def test_the_planted_gap_is_trained_away_and_the_abilities_are_kept(report: dict[str, Any]) -> None:
    constrained = report["candidates"][0]["comparison"]
    before, after = (constrained["gap"][when]["gap"] for when in ("before", "after"))
    assert before["low"] > 0.15
    assert abs(after["value"]) < 0.02
    assert constrained["gap"]["change"]["verdict"] == "improved"
    verdicts = {item["name"]: item["verdict"] for item in constrained["criteria"]}
    assert verdicts["capability"] == "met"
    is_inside = after["low"] > -0.02 and after["high"] < 0.02
    assert (verdicts["gap"] == "met") is is_inside


def test_all_three_objectives_are_shown(report: dict[str, Any]) -> None:
    names = [candidate["name"] for candidate in report["candidates"]]
    assert [name.partition(" ")[0] for name in names] == ["constrained", "gee", "group_gap"]
    gee = report["candidates"][1]["comparison"]["gap"]["after"]["gap"]
    assert gee["low"] > 0.02, "50 steps are not enough for it"
