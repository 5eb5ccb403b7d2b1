"""Every measurement, one after the other, into `bench/results`, and the table of them all.

    python -m bench.run                      # all that take minutes; half an hour on two cores
    python -m bench.run grading startup      # some of them

Each is a script beside this one and can be run alone. What it prints as JSON is kept with the
command, the machine, the versions, the commit and the load; the table (`bench.table`) is written
anew. Run it on a machine that does nothing else. `core_kill`, `cli_kill` and `hostile` count
failures and take long: name them to run them. In an environment with a compiled `debias-data`
(`nox -s compiled`) the build's result is kept beside that of the pure one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.table import RESULTS, write_table
from experiments.environment import environment

HERE = Path(__file__).parent
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "startup": (),
    "gap_statistics": (),
    "grading": ("--data", "SHARED"),
    "generation": ("--model", "SHARED/models/stories260K", "--threads", "1"),
    "execution": ("--data", "SHARED"),
    "data_build": ("--data", "SHARED/data/numina", "--rows", "779323"),
    "core_sampling": (),
    "core_step": ("--new-tokens", "128", "--vocab", "32000"),
    "core_entropy": (
        "--repetitions",
        "4",
        "--only",
        "prototype",
        "torch.compile",
        "TRL fused",
        "ours",
    ),
    "end_to_end": (),
}
LONG: dict[str, tuple[str, ...]] = {
    "core_kill": (),
    "cli_kill": (),
    "hostile": ("--data", "SHARED"),
}
ALL = {**ARGUMENTS, **LONG}


def measure(name: str, shared: Path, out: Path) -> None:
    """Runs one script and keeps what it found; a script that fails leaves the old result."""
    arguments = ALL[name]
    given = [part.replace("SHARED", str(shared)) for part in arguments]
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "result.json"
        command = [sys.executable, str(HERE / f"{name}.py"), *given, "--out", str(found)]
        subprocess.run(command, check=True)
        result = json.loads(found.read_text(encoding="utf-8"))
    shown = " ".join(["python", f"bench/{name}.py", *arguments])
    record = {
        "command": shown.replace("SHARED", "../shared"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": round(load, 2),
        "environment": environment(),
        "result": result,
    }
    out.mkdir(parents=True, exist_ok=True)
    is_compiled = isinstance(result, dict) and result.get("is_compiled", False)
    kept = f"{name}_compiled" if is_compiled else name
    (out / f"{kept}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", choices=[[], *ALL], metavar="NAME")
    default = Path(os.environ.get("DEBIAS_SHARED", "../shared"))
    parser.add_argument("--shared", type=Path, default=default, help="real data and models")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    failed = []
    for name in options.names or ARGUMENTS:
        print(f"== {name}", flush=True)
        try:
            measure(name, options.shared.resolve(), options.out)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name}: exit {error.returncode}")
        write_table(options.out)
    if failed:
        sys.exit("; ".join(failed))


if __name__ == "__main__":
    main()
