"""Kills whole pipelines with SIGKILL at random moments, runs them again, compares the run folders.

    python bench/cli_kill.py --kills 50 --out result.json

One undisturbed run of a small pipeline on the embedded test bed (data, baseline, training,
evaluation, comparison, report) tells how much CPU time a run takes and what it ends in. Then every
trial starts the same run in a process of its own, kills it, and starts it again until it ends.
Every second kill falls after a random event of the run (a stage begins or ends, an item is
through), the others after a random share of its CPU time. Exit code 1 unless every trial ends in
the folder of the undisturbed run, byte for byte but for times, and no process of a killed run
lives on.

Processes are forked from one that has imported everything already and has started no thread.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import argparse
import contextlib
import hashlib
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from debias_cli.config.load import LoadedConfig, parse_config
from debias_cli.stages.context import SilentReporter
from debias_cli.stages.graph import run_folder
from debias_cli.stages.keys import code_of
from debias_cli.stages.runner import run_pipeline

TEXT = """\
run: {name: killed}
model:
  path: testbed
  prompt: {template: "Question: {prompt}\\nAnswer:"}
data:
  sources: [{kind: synthetic, clusters: 40}]
  split: {train: 0.5, dev: 0.25, test: 0.25}
train:
  objective: {kind: constrained}
  max_steps: 3
  effective_batch_size: 4
  max_new_tokens: 8
  eval_every: 2
  checkpoint_every: 1
  early_stopping: false
evaluate:
  tasks:
    - {kind: entropy_gap, pairs: 6, samples: 1, max_new_tokens: 8}
    - {kind: math_jsonl, name: arithmetic, data: "testbed:arithmetic.jsonl", limit: 4,
       max_new_tokens: 16}
    - {kind: humaneval, name: code, data: "testbed:code.jsonl", limit: 2, max_new_tokens: 16}
    - {kind: winogender, data: "testbed:winogender", limit: 8}
"""
IMPORTED = (  # before a fork
    *("torch", "transformers.models.qwen2.modeling_qwen2", "transformers.models.auto"),
    *("safetensors.torch", "pyarrow.parquet", "matplotlib.backends.backend_agg", "accelerate"),
    *(f"debias_cli.stages.{n}" for n in ("data", "evaluation", "training", "watching")),
    *("debias_cli.stages.comparison", "debias_cli.stages.reporting", "debias_data.builder"),
    "debias_data.sources.synthetic",
    *("debias_core.training.trainer", "debias_core.models.loading", "scipy.stats", "math_verify"),
    *("pandas", "debias_cli.testbed", "debias_eval.execution.executor"),
    *("debias_eval.backends.transformers_backend", "debias_eval.report.writing"),
    *("debias_eval.tasks.entropy_gap", "debias_eval.tasks.math_jsonl"),
    *("debias_eval.tasks.humaneval", "debias_eval.tasks.winogender"),
)
TIMES = {"seconds", "seconds_to_target", "finished", "cpu_seconds", "wall_seconds"}
UNCOMPARED = ("logs/", "provenance.json", ".hashes.json", ".lock", ".key", "config.yaml")
MARK = "DEBIAS_KILLED_RUN"
AFTER_EVENT = 0.05  # seconds at most from an event to its kill
ORPHANS_END = 10.0  # seconds that workers have to notice that their parent is gone


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill: aimed how, in which stage, and how it ended."""

    aimed: str
    at: float
    stage: str
    starts: int
    orphans: int
    differences: list[str]


class Telling(SilentReporter):
    """Writes a byte to a pipe for every event, so that the parent can count them."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def begin(self, *_: object) -> None:
        """A stage begins."""
        os.write(self._pipe, b"b")

    def progress(self, *_: object) -> None:
        """Something is through."""
        os.write(self._pipe, b"p")

    def end(self, *_: object) -> None:
        """A stage is finished."""
        os.write(self._pipe, b"e")


@dataclass(slots=True)
class Run:
    """A run in a process of its own; `events` are the bytes that it has sent."""

    pid: int
    pipe: int
    events: int = 0
    code: int | None = None

    def look(self) -> None:
        """Counts new events, and notices the end."""
        with contextlib.suppress(BlockingIOError):
            self.events += len(os.read(self.pipe, 65536))
        found, status = os.waitpid(self.pid, os.WNOHANG)
        if found:
            self.code = os.waitstatus_to_exitcode(status)

    def cpu(self) -> float:
        """Seconds of CPU time that it has had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Gives the pipe back."""
        os.close(self.pipe)


def configuration(folder: Path) -> LoadedConfig:
    """The run, with its folder in `folder`."""
    override = f"run.output_dir={folder}"
    return parse_config(TEXT, source="cli_kill.yaml", base=folder, overrides=[override])


def start(folder: Path) -> Run:
    """Starts the run, or goes on with it, in a process of its own."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    child = os.fork()
    if child:
        os.close(writing)
        return Run(child, reading)
    os.environ[MARK] = str(folder)
    try:
        run_pipeline(configuration(folder), reporter=Telling(writing))
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def finish(folder: Path) -> tuple[int, int, float]:
    """Runs to the end; returns exit code, number of events and CPU time."""
    run, cpu = start(folder), 0.0
    while run.code is None:
        cpu = run.cpu()
        time.sleep(0.01)
        run.look()
    run.close()
    return run.code, run.events, cpu


def orphans(folder: Path) -> list[int]:
    """Processes that a killed run has left; they have some seconds to end."""
    deadline = time.monotonic() + ORPHANS_END
    while True:
        names = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
        left = [int(name) for name in names if _of(int(name), folder)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _of(pid: int, folder: Path) -> bool:
    try:
        return f"{MARK}={folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def content(folder: Path) -> dict[str, str]:
    """A digest of every file of the run, times left out; names of leftovers show as they are."""
    root = run_folder(configuration(folder)).path
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not any(part in name for part in UNCOMPARED):
            data = _timeless(path).replace(str(folder).encode(), b"FOLDER")
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def _timeless(path: Path) -> bytes:
    if path.suffix in (".html", ".md", ".svg"):
        return re.sub(rb"\d+(\.\d+)? s\b", b"T s", path.read_bytes())
    if path.suffix not in (".json", ".jsonl"):
        return path.read_bytes()
    lines = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
    return json.dumps([_without_times(json.loads(line)) for line in lines]).encode()


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in TIMES}
        # digests of files that hold times
        kept.pop("files", None)
        return {key: _without_times(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return re.sub(r"\d+(\.\d+)? s\b", "T s", value) if isinstance(value, str) else value


def kill_once(folder: Path, *, event: int | None, cpu: float) -> float | None:
    """Starts a run and kills it; returns the CPU seconds it had, None where it ended before."""
    run = start(folder)
    try:
        while True:
            run.look()
            if run.code is not None:
                return None
            had = run.cpu()
            if (event is not None and run.events >= event) or (event is None and had >= cpu):
                break
            time.sleep(0.001)
        if event is not None:
            time.sleep(random.uniform(0, AFTER_EVENT))
        os.kill(run.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(run.pid, 0)[1])
        return had if code == -signal.SIGKILL else None
    finally:
        run.close()


def run_trial(folder: Path, number: int, whole: tuple[int, float, dict[str, str]]) -> Trial:
    """Kills one run and lets it go on; `whole` is what the undisturbed one took and left."""
    at: float | None = None
    event = None
    while at is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        event = random.randint(1, whole[0]) if number % 2 else None
        at = kill_once(folder, event=event, cpu=random.uniform(0, whole[1]))
    left = orphans(folder)
    begun = [path.name for path in folder.glob("*/*.partial")]
    finished = len(list(folder.glob("*/*/stage.json")))
    stage = ", ".join(begun) or f"between ({finished} finished)"
    starts, code = 1, 1
    while code != 0 and starts < 4:
        code, starts = finish(folder)[0], starts + 1
    ended = content(folder)
    names = sorted(set(ended) | set(whole[2]))
    differences = [name for name in names if ended.get(name) != whole[2].get(name)]
    aimed = "event" if event is not None else "cpu"
    return Trial(aimed, at, stage, starts, len(left), differences)


def main() -> int:
    """Prints a line a trial and the sum; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    random.seed(options.seed)
    for name in IMPORTED:
        import_module(name)
    for kind in ("data", "evaluate", "train"):
        code_of(kind)  # remembered: an edit while this runs would change the keys
    with tempfile.TemporaryDirectory() as scratch:
        first, folder = Path(scratch) / "whole", Path(scratch) / "trial"
        first.mkdir()
        code, events, cpu = finish(first)
        if code != 0:
            return 1
        whole = (events, cpu, content(first))
        print(
            f"undisturbed: {events} events, {cpu:.1f} s of CPU, {len(whole[2])} files", flush=True
        )
        trials = []
        for number in range(options.kills):
            trial = run_trial(folder, number, whole)
            trials.append(trial)
            print(f"{number + 1}: {trial}", flush=True)
    equal = sum(not trial.differences and trial.starts == 2 for trial in trials)
    left = sum(trial.orphans for trial in trials)
    print(f"{equal} of {len(trials)} end in the undisturbed run's folder; {left} orphans")
    if options.out:
        options.out.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))
    return 0 if equal == len(trials) and not left else 1


if __name__ == "__main__":
    sys.exit(main())
