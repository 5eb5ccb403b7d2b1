"""Whole pipelines that are killed go on to the same end; `bench/cli_kill.py` does fifty."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "bench" / "cli_kill.py"


@pytest.mark.long
@pytest.mark.skipif(not SCRIPT.is_file(), reason="bench/ is part of the repository alone")
def test_three_kills(tmp_path: Path) -> None:
    out = tmp_path / "trials.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "3", "--out", str(out)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads(out.read_text())
    assert [trial["differences"] for trial in trials] == [[], [], []]
    assert [trial["starts"] for trial in trials] == [2, 2, 2]
