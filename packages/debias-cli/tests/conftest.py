"""Fixtures that several test modules use."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

SMALL = """\
run: {name: small}
model:
  path: testbed
  prompt: {template: "Question: {prompt}\\nAnswer:"}
data:
  sources: [{kind: synthetic, clusters: 40}]
  split: {train: 0.5, dev: 0.25, test: 0.25}
train:
  objective: {kind: constrained}
  max_steps: 2
  effective_batch_size: 4
  max_new_tokens: 8
  eval_every: 1
evaluate:
  tasks:
    - {kind: entropy_gap, pairs: 6, samples: 1, max_new_tokens: 8}
    - {kind: math_jsonl, name: arithmetic, data: "testbed:arithmetic.jsonl", limit: 4, \
max_new_tokens: 16}
"""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data beside the checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("DEBIAS_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: real data is not here")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes text to a file in the test's folder and returns its path."""

    def writer(text: str | bytes, name: str = "pipeline.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return writer


@pytest.fixture
def small(write: Callable[..., Path]) -> Path:
    """A configuration that runs in seconds."""
    return write(SMALL)


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command in the test's folder."""

    def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-m", "debias_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
