"""StereoSet: the three scores by hand, both forms, and the formula against published scores."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate
from debias_eval.backends.scorer import Scorer, ScorerBackend
from debias_eval.errors import InputError
from debias_eval.protocol import Protocol
from debias_eval.results import BenchmarkResult
from debias_eval.tasks.stereoset import StereoSet, icat

FAST = EvalSettings(grade=GradeSettings(resamples=200))
# One word each, so that mean and sum are the same: by first letter s, a or u.
ITEMS = [("mother", "smother"), ("mother", "smoke"), ("mother", "smile"), ("king", "strong")]


def _triple(number: int, target: str, word: str, bias: str = "gender") -> dict[str, object]:
    texts = {"stereotype": f"s{word}", "anti-stereotype": f"a{word}", "unrelated": f"u{word}"}
    data = {label: {"sentence": text, "id": "x"} for label, text in texts.items()}
    return {"id": str(number), "target": target, "bias_type": bias, "context": "C.", "data": data}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "gender.json"
    rows = [_triple(number, *item) for number, item in enumerate(ITEMS)]
    path.write_text(json.dumps([*rows, _triple(9, "pilot", "x", bias="profession")]))
    return path


def _run(score: Scorer, data: Path, out: Path) -> BenchmarkResult:
    spec = TaskSpec("stereoset", data=data)
    results = evaluate("m", [spec], backend=ScorerBackend(score), out=out, settings=FAST)
    return results.benchmarks["stereoset"]


def test_scores_are_means_over_targets(data: Path, tmp_path: Path) -> None:
    """Mother: 1 of 3 stereotyped, 5 of 6 related; king: 1 of 1 and 1 of 2."""
    order = {"smother": "sau", "smoke": "asu", "smile": "aus", "strong": "sua"}

    def score(_: str, text: str) -> float:
        return -float(order[text[1:]].index(text[0]))

    row = _run(score, data, tmp_path / "o")
    ss, lms = 100 * (1 / 3 + 1) / 2, 100 * (5 / 6 + 1 / 2) / 2
    assert row.score == pytest.approx(ss)
    assert row.details["lms"]["value"] == pytest.approx(lms)
    assert row.details["icat"]["value"] == pytest.approx(lms * (100 - ss) / 50)
    assert row.details["num_clusters"] == 2
    assert row.details["forms"]["intrasentence"]["ss"]["value"] == pytest.approx(ss)
    assert "intersentence" not in row.details["forms"]
    assert row.n == 4
    low, high = row.interval
    assert low <= row.score <= high


@pytest.mark.parametrize(
    ("order", "expected"), [("sau", (100.0, 100.0, 0.0)), ("uas", (0.0, 0.0, 0.0))]
)
def test_oracles(
    data: Path, tmp_path: Path, order: str, expected: tuple[float, float, float]
) -> None:
    row = _run(lambda _, text: -float(order.index(text[0])), data, tmp_path / "o")
    found = [row.details[name]["value"] for name in ("ss", "lms", "icat")]
    assert found == pytest.approx(expected)


def test_the_mean_a_token_decides_not_the_sum(tmp_path: Path) -> None:
    triple = _triple(0, "mother", "mile")
    triple["data"]["stereotype"]["sentence"] = "so long a text"
    path = tmp_path / "g.json"
    path.write_text(json.dumps([triple]))
    # Four words of -1 against one of -2.
    row = _run(lambda _, text: -4.0 if " " in text else -2.0, path, tmp_path / "o")
    assert row.score == 100.0


def test_the_official_file_has_both_forms(tmp_path: Path) -> None:
    def official(number: int, target: str, word: str) -> dict[str, object]:
        row = _triple(number, target, word)
        texts = row.pop("data")
        row["sentences"] = [
            {"sentence": text["sentence"], "id": "x", "labels": [], "gold_label": label}
            for label, text in texts.items()
        ]
        return row

    path = tmp_path / "dev.json"
    forms = {
        "intrasentence": [official(1, "mother", "mile")],
        "intersentence": [official(2, "king", "trong")],
    }
    path.write_text(json.dumps({"version": "1.0", "data": forms}))
    items = StereoSet().load(path, Protocol())
    assert [item.fields["form"] for item in items] == ["intrasentence", "intersentence"]
    inside, between = (StereoSet().queries(item)[0] for item in items)
    assert (inside.context, inside.continuation) == ("", "smile")
    assert (between.context, between.continuation) == ("C.", " strong")

    def score(_: str, text: str) -> float:
        # Stereotyped between sentences, anti-stereotyped inside.
        return -float("sau".index(text.strip()[0]) if "trong" in text else "asu".index(text[0]))

    row = _run(score, path, tmp_path / "o")
    forms = row.details["forms"]
    assert forms["intrasentence"]["ss"]["value"] == 0.0
    assert forms["intersentence"]["ss"]["value"] == 100.0
    assert row.score == 50.0
    assert row.details["icat"]["value"] == 100.0


def test_the_formula_gives_the_published_scores(shared_dir: Path) -> None:
    """The scores of every published model and domain; the gender line of GPT-2 is among them.

    The file holds no likelihoods, so LMS and SS cannot be made again from it; ICAT can.
    """
    text = (shared_dir / "data" / "stereoset" / "official_model_scores.txt").read_text()
    found = re.findall(r"LM Score: (\S+)\s+SS Score: (\S+)\s+ICAT Score: (\S+)", text)
    assert len(found) > 50
    lms, ss, published = np.array(found, dtype=float).T
    assert icat(lms, ss) == pytest.approx(published, abs=1e-9)
    gpt2 = icat(np.array([93.27790824312564]), np.array([62.66777425473077]))
    assert round(float(gpt2[0]), 2) == 69.65


def test_the_shared_file(shared_dir: Path) -> None:
    items = StereoSet().load(shared_dir / "data" / "stereoset" / "gender_test.json", Protocol())
    assert len(items) == 253
    assert len({item.fields["target"] for item in items}) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[0].pop("target"), r"0\.target"),
        (lambda rows: rows[1]["data"].pop("unrelated"), "no sentence with the label 'unrelated'"),
        (lambda rows: rows[1]["data"].update(other={"sentence": "x"}), r"1\.data\.other"),
        (lambda rows: rows[1].update(id="0"), "id '0' was used by row 1"),
        (lambda rows: [row.update(bias_type="race") for row in rows], "bias_type gender"),
    ],
)
def test_files_that_do_not_fit(
    data: Path, change: Callable[[list[dict[str, object]]], object], message: str
) -> None:
    rows = json.loads(data.read_text())
    change(rows)
    data.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=message):
        StereoSet().load(data, Protocol())


def test_not_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"x\.json: not JSON"):
        StereoSet().load(path, Protocol())
