"""A whole pipeline stage by stage, the default objective beside GEE in the same run; as JSON.

    python bench/end_to_end.py --out result.json

It is the demo: the embedded model, `debias-cli demo` into a new folder. Reported are the wall
seconds of every stage, the CPU seconds and the peak memory of the run, and for each training what
it took to the held-out target and which gap it ended in. One run is one seed: the ratio of training
times with its interval comes from `experiments/objectives.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KIB_PER_MIB = 1 << 10


def stages(folder: Path) -> dict[str, float]:
    """Seconds of every stage of a run folder, in their order."""
    records = [json.loads(path.read_text()) for path in folder.glob("*/stage.json")]
    records.sort(key=lambda record: record["finished"])
    return {record["stage"]: round(record["seconds"], 2) for record in records}


def trainings(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.glob("train-*/training.json")):
        summary = json.loads(path.read_text())
        results = folder / f"eval-{summary['label']}-s{summary['seed']}" / "results.json"
        gap = json.loads(results.read_text())["benchmarks"]["entropy_gap"]
        names = ("steps", "reached_target", "seconds", "seconds_to_target")
        found[summary["label"]] = {name: summary[name] for name in names} | {
            "gap": gap["score"],
            "interval": gap["interval"],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        wall = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "debias_cli", "demo", "--json"],
            cwd=folder,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        wall = time.perf_counter() - wall
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = Path(folder) / json.loads(done.stdout)["run_dir"]
        result = {
            "load_average": os.getloadavg(),
            "wall_seconds": round(wall, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "peak_mib": round(used.ru_maxrss / KIB_PER_MIB),
            "stages": stages(run),
            "trainings": trainings(run),
        }
    text = json.dumps(result, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
