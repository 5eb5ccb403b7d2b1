"""The report of one model alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from debias_eval.cli.app import app
from debias_eval.errors import InputError, MissingError
from debias_eval.report import model_report, write_model_report
from debias_eval.statistics.bootstrap import Bootstrap

FAST = Bootstrap(resamples=200)
HOSTILE = "<script>alert('x')</script>|"


def write_results(path: Path, gap: float | None, **more: dict[str, Any]) -> Path:
    common: dict[str, Any] = {
        "n": 100,
        "k": None,
        "higher_is_better": None,
        "protocol": {
            "profile": "p",
            "template": "Q: {prompt}\nA:",
            "chat_template": False,
            "shots": ["a", "b"],
            "stop": ["\n"],
            "sampling": {"n": 4, "temperature": 1.0, "top_p": 1.0, "seed": 0},
            "max_new_tokens": 64,
            "split": "test",
        },
        "protocol_hash": "0123456789",
        "data_sha256": "d" * 64,
        "counts": {},
        "details": {},
    }
    lines = {
        "gsm8k": {
            "score": 0.62,
            "interval": [0.52, 0.71],
            "metric": "accuracy",
            "kind": "maths",
            "k": 62,
            "counts": {"correct": 62, "incorrect": 30, "unparsed": 8},
            "details": {"truncated_rate": 0.05},
        },
        "winogender": {
            "score": 0.22,
            "interval": [0.16, 0.28],
            "metric": "slope",
            "kind": "bias",
            "details": {
                "ideal": 0.0,
                "spearman": {"value": 0.64, "interval": [0.44, 0.78]},
                "occupations": {"nurse": {"female_share": 0.9}},
            },
        },
        **more,
    }
    path.mkdir(parents=True)
    if gap is not None:
        rng = np.random.default_rng(0)
        female, male = (1 + shift + rng.normal(0, 0.05, (60, 2)) for shift in (gap, 0.0))
        rows = [
            {"pair_id": f"p{i}", "cluster_id": f"c{i}", "female": f, "male": m, "direct": None}
            for i, (f, m) in enumerate(zip(female.tolist(), male.tolist(), strict=True))
        ]
        (path / "entropy_gap").mkdir()
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (path / "entropy_gap" / "pairs.jsonl").write_text(text)
        nulls = {"a_a": {"gap": {"value": -0.002, "low": -0.01, "high": 0.006}}}
        details = {"null_rows": nulls}
        lines["entropy_gap"] = {"score": gap, "interval": None, "metric": "gap", "kind": "bias"}
        lines["entropy_gap"]["details"] = details
    results = {
        "format": 1,
        "model": {"path": "here/m", "weights_sha256": "a" * 64, "tokenizer_sha256": "t" * 64},
        "backend": "transformers",
        "versions": {"torch": "2.13.0"},
        "benchmarks": {name: {**common, **line} for name, line in lines.items()},
    }
    (path / "results.json").write_text(json.dumps(results))
    return path


def test_every_format_holds_scores_gap_nulls_suites_and_protocols(tmp_path: Path) -> None:
    report = model_report(write_results(tmp_path / "r", 0.2), plan=FAST, notes=("A note.",))
    paths = write_model_report(report, tmp_path / "out")
    text = paths.markdown.read_text(encoding="utf-8")
    assert "**Entropy gap: different from zero.**" in text
    assert "62.0% · \\[52.0, 71.0\\]" in text
    assert "62 of 100" in text
    assert "unparsed 8.0%, truncated 5.0%" in text
    assert "Null: A/A (male − male) | −0.002 · \\[−0.010, +0.006\\]" in text
    assert "Resolution (95%, power 80%)" in text
    assert "winogender: spearman | 0.640 · \\[0.440, 0.780\\]" in text
    assert "away from the ideal" in text
    assert "no chat template, no system prompt, 2 shots" in text
    assert "- A note." in text
    page = paths.html.read_text(encoding="utf-8")
    assert "Entropy gap: different from zero" in page
    assert page.count("<svg") == 1
    content = json.loads(paths.json.read_text(encoding="utf-8"))
    assert (content["kind"], content["verdict"]) == ("model", "different")
    assert content["results"]["benchmarks"]["gsm8k"]["score"] == 0.62
    assert [path.name for path in paths.pictures] == ["gap.svg", "gap.png"]


@pytest.mark.parametrize(
    ("gap", "margin", "verdict"),
    [(0.2, 0.02, "different"), (0.0, 0.1, "equivalent"), (0.0, 0.001, "inconclusive")],
)
def test_the_gap_is_judged_against_the_margin(
    tmp_path: Path, gap: float, margin: float, verdict: str
) -> None:
    report = model_report(write_results(tmp_path / "r", gap), gap_margin=margin, plan=FAST)
    assert report.gap is not None
    assert report.gap.gap.verdict == verdict
    text = write_model_report(report, tmp_path / "out").markdown.read_text(encoding="utf-8")
    assert f"±{margin:g}" in text


def test_without_a_gap_nothing_is_said_about_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_model_report(model_report(write_results(tmp_path / "a", 0.2), plan=FAST), out)
    paths = write_model_report(model_report(write_results(tmp_path / "b", None)), out)
    assert "The entropy gap was not measured." in paths.markdown.read_text(encoding="utf-8")
    assert paths.pictures == ()
    assert not (out / "gap.svg").exists(), "a picture of an earlier report"


def test_groups_beyond_two_are_shown_pair_by_pair(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "r", 0.2)
    rng = np.random.default_rng(1)
    rows = [
        {
            "id": f"p{i}",
            "cluster_id": f"c{i}",
            "groups": {
                name: (mean + rng.normal(0, 0.02, 2)).tolist()
                for name, mean in (("female", 1.2), ("male", 1.0), ("neutral", 1.1))
            },
        }
        for i in range(30)
    ]
    path = folder / "entropy_gap" / "groups.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = write_model_report(model_report(folder, plan=FAST), tmp_path / "out")
    text = paths.markdown.read_text(encoding="utf-8")
    for pair in ("female − male", "female − neutral", "male − neutral"):
        assert f"| {pair} |" in text
    assert "Every pair of groups" in paths.html.read_text(encoding="utf-8")
    assert len(json.loads(paths.json.read_text())["groups"]["pairs"]) == 3
    path.write_text(json.dumps({**rows[0], "groups": {"female": [1.0]}}) + "\n")
    with pytest.raises(InputError, match=r"groups\.jsonl: .*two groups"):
        model_report(folder, plan=FAST)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    line = {"score": 1.0, "interval": None, "metric": HOSTILE, "kind": "quality"}
    folder = write_results(tmp_path / "r", None, **{"x" + HOSTILE.replace("/", ""): line})
    paths = write_model_report(model_report(folder, title=HOSTILE), tmp_path / "out")
    assert "<script>alert" not in paths.html.read_text(encoding="utf-8")
    assert "<script>" not in paths.markdown.read_text(encoding="utf-8")


def test_the_command(tmp_path: Path) -> None:
    folder, out = write_results(tmp_path / "r", None), tmp_path / "out"
    done = CliRunner().invoke(app, ["report", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "report.html" in done.output
    assert (out / "report.html").is_file()
    gone = CliRunner().invoke(app, ["report", str(tmp_path / "none"), "--out", str(out)])
    assert gone.exit_code == MissingError("").exit_code
