"""How long commands take before they do anything: `--help`, and the least that Python itself takes.

    python bench/startup.py --out result.json

Every command runs in a fresh process, in turns; figures are medians of wall and CPU seconds, beside
those of an empty program and of importing torch and transformers in the same run. A help that
imported torch is told by `torch_imported`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "empty program": ("-c", "pass"),
    "import typer": ("-c", "import typer"),
    "import torch": ("-c", "import torch"),
    "import torch, transformers": ("-c", "import torch; from transformers import Trainer"),
    "debias-cli --help": ("-m", "debias_cli", "--help"),
    "debias-cli validate": ("-m", "debias_cli", "validate", "FILE"),
    "debias-cli plan": ("-m", "debias_cli", "plan", "FILE"),
    "debias-data --help": ("-c", "from debias_data.cli import main; main()", "--help"),
    "debias-eval --help": ("-c", "from debias_eval.cli import main; main()", "--help"),
    "import debias_core": ("-c", "import debias_core"),
}
QUICKSTART = Path(__file__).resolve().parents[1] / "examples" / "quickstart.yaml"


def run(arguments: tuple[str, ...], *options: str) -> tuple[float, float, str]:
    """Wall seconds, CPU seconds and standard error of one process."""
    command = [str(QUICKSTART) if part == "FILE" else part for part in arguments]
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *options, *command], check=True, capture_output=True, text=True
    )
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stderr


def imports_torch(arguments: tuple[str, ...]) -> bool:
    lines = run(arguments, "-X", "importtime")[2].splitlines()
    return any(line.rpartition("|")[2].strip() == "torch" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        run(arguments)  # the files are in memory then
    for _ in range(options.repetitions):
        for name, arguments in COMMANDS.items():
            seconds[name].append(run(arguments)[:2])
    result = {
        "load_average": os.getloadavg(),
        "commands": {
            name: {
                "wall_seconds": round(statistics.median(wall for wall, _ in found), 3),
                "cpu_seconds": round(statistics.median(cpu for _, cpu in found), 3),
                "torch_imported": imports_torch(COMMANDS[name]),
            }
            for name, found in seconds.items()
        },
    }
    text = json.dumps(result, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
