"""The command: exit codes, messages and what it writes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from debias_data import read_pairs


def _run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-c", "from debias_data.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        timeout=120,
    )


def test_build_writes_table_and_card(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("seed: 3\nsources:\n  - {kind: synthetic, clusters: 20}\n")
    out = tmp_path / "pairs.parquet"
    done = _run("build", config, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "20 pairs" in done.stdout
    assert read_pairs(out).num_pairs == 20
    shown = _run("card", tmp_path, "--json")
    assert json.loads(shown.stdout)["pairs"] == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: []\n", "sources"),
        ("sources:\n  - {kind: synthetic, clusterz: 3}\n", "clusterz"),
        ("seed: 1\nseed: 2\n", "c.yaml:2:1"),
        ("a: &x [1]\nb: *x\n", "anchors are not allowed"),
        ("a: !!python/object:os.system x\n", "not allowed"),
        ("min_confidence: 1e-5\nsources: [{kind: synthetic, clusters: x}]\n", "clusters"),
        ("- 1\n", "expected a mapping"),
    ],
)
def test_bad_config_exits_with_3_and_writes_nothing(tmp_path, text, message):
    config = tmp_path / "c.yaml"
    config.write_text(text)
    done = _run("build", config, "--out", tmp_path / "p.parquet")
    assert done.returncode == 3, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "p.parquet").exists()


def test_missing_file_exits_with_4(tmp_path):
    done = _run("build", tmp_path / "none.yaml")
    assert done.returncode == 4
    assert "none.yaml: no such file" in done.stderr


def test_usage_exits_with_2():
    assert _run("swap", "x.jsonl", "--to", "neither").returncode == 2


def test_label_and_swap_of_a_text_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("He ran.\nIt ran.\nShe is pregnant.\n")
    labels = [json.loads(line) for line in _run("label", path).stdout.splitlines()]
    assert [row["label"] for row in labels] == ["male", "neutral", "female"]
    out = tmp_path / "out.jsonl"
    assert _run("swap", path, "--out", out).returncode == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row.get("text", row.get("refused")) for row in rows] == [
        "She ran.",
        "It ran.",
        "sex_bound",
    ]


def test_a_failed_swap_leaves_no_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "He ran."}\n{"text": 1}\n')
    done = _run("swap", path, "--out", tmp_path / "out.jsonl")
    assert done.returncode == 3
    assert "a.jsonl:2:text" in done.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["a.jsonl"]


def test_validate_labels(tmp_path):
    path = tmp_path / "gold.jsonl"
    rows = [("He ran.", "male"), ("She ran.", "female"), ("It ran.", "male")]
    path.write_text("".join(json.dumps({"text": t, "label": v}) + "\n" for t, v in rows))
    report = json.loads(_run("validate-labels", path, "--json").stdout)
    assert report["scores"]["male"]["right"] == 1
    assert report["scores"]["male"]["interval"] == pytest.approx([0.094531, 0.905469], abs=1e-6)
    assert report["misses"][0]["row"] == 3
    assert "66.7" not in _run("validate-labels", path).stderr


@pytest.mark.parametrize("module", ["debias_data", "debias_data.config", "debias_data.cli"])
def test_importing_is_cheap(module):
    code = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'pyarrow', 'datasets', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
