"""`debias-eval grade` on the real HumanEval file: canonical solutions, and a stub."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "score"), [("canonical", 1.0), ("stub", 0.0)])
def test_humaneval(shared_dir: Path, tmp_path: Path, kind: str, score: float) -> None:
    data = shared_dir / "data/humaneval/HumanEval.jsonl.gz"
    with gzip.open(data, "rt") as file:
        rows = [json.loads(line) for line in file]
    lines = [
        {
            "task_id": row["task_id"],
            "completion": row["canonical_solution"] if kind == "canonical" else "    pass",
        }
        for row in rows
    ]
    completions = tmp_path / "completions.jsonl"
    completions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    command = [Path(sys.executable).with_name("debias-eval"), "grade", "--task", "humaneval"]
    done = subprocess.run(
        [*command, "--completions", completions, "--data", data, "--out", out],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "results.json").read_text())["benchmarks"]["humaneval"]
    assert (result["score"], result["n"]) == (score, 164)
    verdicts = (out / "humaneval" / "verdicts.jsonl").read_text().splitlines()
    assert len(verdicts) == 164
    assert {json.loads(v)["level"] for v in verdicts} <= {"hardened", "landlock"}
