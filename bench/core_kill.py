"""Kills trainings with SIGKILL at random moments, reruns them, compares the bytes of the result.

    python bench/core_kill.py --kills 30 --out result.json

One undisturbed run tells how long a run takes and what it ends in. Then every trial starts the same
run in a process of its own, kills it, and starts it again until it ends. Every second kill is aimed
at the writing of a checkpoint or of the model, the others fall anywhere. Exit code 1 unless every
trial ends in the bytes of the undisturbed run.

Processes are forked from one that has imported torch already and has started no thread of it: what
a killed process leaves on the disk is the same, and a run takes a second or two.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import argparse
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2ForCausalLM, Qwen2Tokenizer

from debias_core.config import ConstrainedConfig, PromptFormat, TrainConfig
from debias_core.models.loading import load_model
from debias_core.training.trainer import DebiasTrainer

ROOT = Path(__file__).resolve().parents[1]
TEST_BED = ROOT / "packages/debias-cli/src/debias_cli/testbed"
AIMED_WITHIN = 0.02  # seconds after a temporary name shows up
IMPORTED = (AutoModelForCausalLM, AutoTokenizer, Qwen2ForCausalLM, Qwen2Tokenizer)  # before a fork


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill: when, what it found on the disk, how often the run was started, how it ended."""

    aimed: bool
    after: float
    left_temporary: bool
    checkpoint: str
    starts: int
    equal: bool


def rows(kind: str, num_pairs: int) -> list[dict[str, object]]:
    """Returns pairs of the test bed's arithmetic problems."""
    lines = (TEST_BED / "data" / "arithmetic.jsonl").read_text().splitlines()
    problems = [json.loads(line) for line in lines]
    first = 0 if kind == "train" else 100
    found = []
    for i in range(first, first + num_pairs):
        for side, group in enumerate(("female", "male")):
            name = f"{kind}{i}"
            prompt = problems[2 * i + side]["question"]
            found.append({"pair_id": name, "cluster_id": name, "group": group, "prompt": prompt})
    return found


def train(folder: Path, steps: int) -> None:
    """Makes the run, or goes on with it; ends in `folder/model`."""
    torch.set_num_threads(1)
    model, tokenizer = load_model(TEST_BED / "model", device="cpu")
    config = TrainConfig(
        objective=ConstrainedConfig(),
        max_steps=steps,
        effective_batch_size=8,
        micro_batch_size=4,
        max_new_tokens=12,
        eval_every=3,
        checkpoint_every=1,
        early_stopping=False,
        prompt=PromptFormat(template="Question: {prompt}\nAnswer:"),
    )
    DebiasTrainer(model, tokenizer, config).fit(
        rows("train", 32),
        rows("dev", 8),
        out=folder / "model",
        checkpoints=folder / "checkpoints",
    )


def start(folder: Path, steps: int) -> int:
    """Starts the run in a process of its own, and returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        train(folder, steps)
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def finish(folder: Path, steps: int) -> int:
    """Runs to the end; returns the exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(start(folder, steps), 0)[1])


def digest(folder: Path) -> str:
    """Returns a digest of names and bytes of the model folder."""
    found = hashlib.sha256()
    for path in sorted((folder / "model").iterdir()):
        found.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def temporary(folder: Path) -> bool:
    """Returns whether something is being written, or was when its writer died."""
    return any(folder.glob(".*.tmp")) or any((folder / "checkpoints").glob(".*.tmp"))


def kill_once(folder: Path, steps: int, *, aimed: bool, moment: float) -> float | None:
    """Starts a run and kills it; returns the seconds it had, or None where it ended before that.

    Args:
        folder: of the run.
        steps: of the run.
        aimed: at something that is being written.
        moment: seconds from the start; aimed, seconds from which a write is waited for.
    """
    began = time.perf_counter()
    child = start(folder, steps)
    while time.perf_counter() - began < moment or (aimed and not temporary(folder)):
        if os.waitpid(child, os.WNOHANG)[0]:
            return None
        time.sleep(0.0005)
    if aimed:
        time.sleep(random.uniform(0, AIMED_WITHIN))
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return time.perf_counter() - began if code == -signal.SIGKILL else None


def run_trial(folder: Path, steps: int, *, aimed: bool, whole: tuple[float, str]) -> Trial:
    """Kills one run and lets it go on; `whole` is time and digest of the undisturbed one."""
    starts, after = 0, None
    while after is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        moment = random.uniform(0, whole[0])
        after, starts = kill_once(folder, steps, aimed=aimed, moment=moment), 1
    left = temporary(folder)
    newest = max((path.name for path in (folder / "checkpoints").glob("step-*")), default="none")
    while finish(folder, steps) != 0:
        starts += 1
        if starts > 3:
            return Trial(aimed, after, left, newest, starts, equal=False)
    return Trial(aimed, after, left, newest, starts + 1, equal=digest(folder) == whole[1])


def main() -> int:
    """Prints a line a trial and the sum; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    random.seed(options.seed)
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        folder.mkdir()
        began = time.perf_counter()
        if finish(folder, options.steps) != 0:
            return 1
        whole = (time.perf_counter() - began, digest(folder))
        print(f"undisturbed: {whole[0]:.2f} s", flush=True)
        trials = []
        for number in range(options.kills):
            trial = run_trial(folder, options.steps, aimed=number % 2 == 0, whole=whole)
            trials.append(trial)
            print(f"{number + 1}: {trial}", flush=True)
    equal = sum(trial.equal for trial in trials)
    writing = sum(trial.left_temporary for trial in trials)
    print(f"{equal} of {len(trials)} equal; {writing} kills fell into a write")
    if options.out:
        options.out.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))
    return 0 if equal == len(trials) else 1


if __name__ == "__main__":
    sys.exit(main())
