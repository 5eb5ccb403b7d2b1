"""kill -9 at any moment, then run again: the files are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys, time
import debias_eval.stages as stages
from debias_eval import BackendSettings, EvalSettings, GradeSettings, TaskSpec, evaluate

class Slow(stages.AppendLog):
    def append(self, rows):
        super().append(rows)
        time.sleep(0.05)  # so that a kill lands between batches, too

stages.AppendLog = Slow
evaluate(
    sys.argv[1],
    [TaskSpec("math_jsonl", data=sys.argv[2], samples=2, protocol={
        "max_new_tokens": 12, "sampling": {"temperature": 1.0}})],
    out=sys.argv[3],
    settings=EvalSettings(BackendSettings(device="cpu", batch_size=2), GradeSettings(workers=1)),
)
"""


def _start(model: Path, data: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(model), str(data), str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.slow
def test_kill_nine_and_again(tmp_path: Path, tiny_llama: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text(
        "".join(
            json.dumps({"id": str(n), "question": "q" * (n + 1), "answer": "1"}) + "\n"
            for n in range(12)
        )
    )
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert _start(tiny_llama, data, whole).wait(timeout=120) == 0
    log = broken / "math_jsonl" / "generations.part.jsonl"
    for lines in (1, 7, 13):
        process = _start(tiny_llama, data, broken)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.read_bytes().count(b"\n") >= lines:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        assert process.wait(timeout=120) == -signal.SIGKILL
        assert not (broken / "results.json").exists()
    assert _start(tiny_llama, data, broken).wait(timeout=120) == 0
    assert _files(broken) == _files(whole)
