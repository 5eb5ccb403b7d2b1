"""A disk that is full or read-only at every stage: said plainly, and nothing that cannot go on.

The faults are real: a small tmpfs that is filled, a read-only mount.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debias_cli.config.load import LoadedConfig, parse_config
from debias_cli.errors import DebiasCliError, StageError, StorageError
from debias_cli.rundir.hashes import HashCache
from debias_cli.rundir.locking import lock_folder
from debias_cli.rundir.storage import storage_error
from debias_cli.stages.context import SilentReporter
from debias_cli.stages.graph import run_folder
from debias_cli.stages.planning import Decision
from debias_cli.stages.runner import run_pipeline

TEXT = """\
run: {name: fault}
model:
  path: testbed
  prompt: {template: "Question: {prompt}\\nAnswer:"}
data:
  sources: [{kind: synthetic, clusters: 40}]
  split: {train: 0.5, dev: 0.25, test: 0.25}
train: {max_steps: 1, effective_batch_size: 4, max_new_tokens: 8, eval_every: 1}
evaluate:
  tasks:
    - {kind: entropy_gap, pairs: 4, samples: 1, max_new_tokens: 8}
    - {kind: winogender, data: "testbed:winogender", limit: 8}
"""
STAGES = [
    "data",
    "baseline",
    "train-constrained-s0",
    "eval-constrained-s0",
    "compare",
    "report",
]
Fault = Callable[[Path], None]


def mount(*arguments: object) -> None:
    command = ["mount", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting needs permission: {done.stderr.strip()}")


def fill(folder: Path, room: int = 0) -> None:
    """Leaves `room` bytes on the disk of the folder."""
    filler = folder.parent / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
        os.truncate(filler, max(filler.stat().st_size - room, 0))


def empty(folder: Path) -> None:
    (folder.parent / "filler").unlink(missing_ok=True)


def lock_down(folder: Path) -> None:
    mount("--bind", folder, folder)
    mount("-o", "remount,bind,ro", folder)


def unlock(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


NO_SPACE = "no space left on the disk; free some space there"
FAULTS: dict[str, tuple[Fault, Fault, str]] = {
    "full": (fill, empty, NO_SPACE),
    "nearly full": (lambda folder: fill(folder, 60_000), empty, NO_SPACE),
    "read-only": (lock_down, unlock, "the file system is read-only; make it writable"),
}


class Breaking(SilentReporter):
    """Breaks the disk when a stage begins, once for every stage."""

    def __init__(self, folder: Path, breaks: Fault) -> None:
        self.folder, self.breaks, self.broken = folder, breaks, list[str]()

    def begin(self, decision: Decision, number: int, total: int) -> None:
        if decision.action == "run" and decision.stage.name not in self.broken:
            self.broken.append(decision.stage.name)
            self.breaks(self.folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def load(output_dir: Path) -> LoadedConfig:
    overrides = [f"run.output_dir={output_dir}"]
    return parse_config(TEXT, source="p.yaml", base=output_dir, overrides=overrides)


def timeless(path: Path) -> str:
    return re.sub(r'"seconds[a-z_]*": [0-9.e-]+|\d+(\.\d+)? s\b', "T", path.read_text())


def outcome(folder: Path) -> dict[str, object]:
    """What has to be the same, however often the run was stopped."""
    files = ("report/report.json", "baseline/results.json", "eval-constrained-s0/results.json")
    found: dict[str, object] = {
        name: timeless(folder / name).replace(str(folder), "RUN") for name in files
    }
    record = json.loads((folder / "train-constrained-s0" / "stage.json").read_text())
    return found | {"weights": record["files"]["model/model.safetensors"]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return outcome(run_pipeline(load(tmp_path_factory.mktemp("whole"))).folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_every_stage_on_a_broken_disk(
    name: str, disk: Path, undisturbed: dict[str, object]
) -> None:
    breaks, mends, words = FAULTS[name]
    loaded = load(disk / "runs")
    folder = run_folder(loaded).path
    reporter = Breaking(folder, breaks)
    failed, messages, codes = list[str](), list[str](), set[int]()
    for _ in range(len(STAGES) + 1):
        try:
            run_pipeline(loaded, reporter=reporter)
        except StageError as error:
            failed.append(reporter.broken[-1])
            messages.append(str(error))
            codes.add(error.exit_code)
        else:
            break
        finally:
            mends(folder)
    assert failed == STAGES or (name == "nearly full" and "train-constrained-s0" in failed)
    assert codes == {1}
    for stage, message in zip(failed, messages, strict=True):
        assert message.startswith(f"stage {stage} failed: {folder}"), message
        assert words in message
        assert "run the same command again to go on from here" in message
    assert not list(folder.rglob(".*.tmp"))
    assert not list(folder.glob("*.partial"))
    assert outcome(folder) == undisturbed


@pytest.mark.parametrize("name", ["full", "read-only"])
def test_before_the_first_stage(name: str, disk: Path) -> None:
    breaks, mends, words = FAULTS[name]
    runs = disk / "runs"
    runs.mkdir()
    breaks(runs)
    try:
        with pytest.raises(StorageError) as caught:
            run_pipeline(load(runs))
    finally:
        mends(runs)
    assert words in str(caught.value)
    assert str(disk) in str(caught.value)
    assert caught.value.exit_code == 1


def test_planning_needs_no_space(disk: Path) -> None:
    (disk / "f").write_text("x")
    fill(disk / "runs")
    hashes = HashCache(disk / "hashes.json")
    assert len(hashes.file(disk / "f")) == 64
    hashes.save()
    assert not (disk / "hashes.json").exists()


def test_a_lock_is_given_up_on_a_disk_that_became_read_only(disk: Path) -> None:
    folder = disk / "run"
    folder.mkdir()
    with pytest.raises(DebiasCliError, match="the reason"), lock_folder(folder):
        raise DebiasCliError("the reason")
    with lock_folder(folder):
        pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "no space left on the disk"),
        (OSError(28, "No space", "/runs/a/data/x"), "/runs/a/data/x: no space left"),
        (OSError(30, "Read-only", "/runs/a/data/x"), "the file system is read-only"),
        (PermissionError(13, "denied", "/runs/a/data"), "no permission to write"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "no space left"),
        (ValueError("bytes to file. Detail: [errno 28] No space left"), "no space left"),
        (PermissionError(13, "denied", "/inputs/data.jsonl"), None),
        (OSError(30, "Read-only", "/elsewhere/x"), None),
        (FileNotFoundError(2, "gone", "/runs/a/x"), None),
        (ValueError("errors: 28"), None),
    ],
)
def test_what_counts_as_a_broken_disk(error: Exception, words: str | None) -> None:
    found = storage_error(error, Path("/runs/a"))
    assert (found is None) == (words is None)
    assert words is None or words in str(found)


def test_the_cause_of_an_error_counts_too() -> None:
    outer = RuntimeError("cannot write the model")
    outer.__cause__ = OSError(28, "No space left on device", "/runs/a/model")
    assert str(storage_error(outer, Path("/runs/a"))).startswith("/runs/a/model: no space left")
