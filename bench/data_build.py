"""Pair building against pandas + regex and `datasets.map`: rates and peak memory, as JSON.

    python bench/data_build.py --data ../shared/data/numina --rows 50000 --out result.json

All read the same Parquet file of the NuminaMath-CoT schema, made from the one given by putting a
numbered sentence before each problem, and write what they keep to Parquet:

* `debias_data`: `build_to` as the command runs it, with 1 process and with `--workers` of them;
* `label_and_swap`: labels and swaps of the problem texts alone, one process, nothing written;
* `pandas_regex`: what a plain script does: pronouns by two patterns, a dictionary for the swap,
  `her` always `his`, names and solutions left alone;
* `datasets_map`: the functions of `label_and_swap` under `datasets.map`, which writes its cache.

Each part runs in a process of its own, so that its peak memory (of the process and its largest
child) is its own. pandas is needed for this file only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KIB_PER_MIB = 1 << 10


def make_file(source: Path, target: Path, rows: int) -> None:
    """`rows` rows of `source`, from the start again when it ends, no two alike."""
    table = pq.read_table(source)
    with pq.ParquetWriter(target, table.schema) as writer:
        for start in range(0, rows, table.num_rows):
            part = table.slice(0, min(table.num_rows, rows - start))
            problems = [
                f"This is item {start + i}. {text}"
                for i, text in enumerate(part["problem"].to_pylist())
            ]
            index = table.schema.get_field_index("problem")
            writer.write_table(
                part.set_column(index, table.schema.field(index), pa.array(problems))
            )


def ours(path: Path, out: Path, workers: int) -> int:
    from debias_data import BuildConfig, build_to

    source = {"kind": "numina", "path": str(path)}
    config = BuildConfig.model_validate({"sources": [source], "workers": workers})
    return build_to(out / "pairs.parquet", config).num_pairs


def label_and_swap(path: Path, _out: Path, _workers: int) -> int:
    swapped = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1024, columns=["problem"]):
        swapped += sum(text is not None for text in map(counterpart, batch["problem"].to_pylist()))
    return swapped


def counterpart(text: str) -> str | None:
    """The other version of a text of one gender; None for the others and for refusals."""
    from debias_data.gender.labelling import label_reading
    from debias_data.gender.reader import read
    from debias_data.gender.swapping import swap_together
    from debias_data.gender.types import Refusal

    reading = read(text)
    if label_reading(reading).value not in ("male", "female"):
        return None
    found = swap_together(reading, None)
    return None if isinstance(found, Refusal) else found.prompt.text


MALE = re.compile(r"\b(he|him|his|himself)\b", re.IGNORECASE)
FEMALE = re.compile(r"\b(she|her|hers|herself)\b", re.IGNORECASE)
SWAPS = {
    "he": "she",
    "him": "her",
    "his": "her",
    "himself": "herself",
    "she": "he",
    "her": "his",
    "hers": "his",
    "herself": "himself",
}


def plain_counterpart(text: str) -> str | None:
    def other(match: re.Match[str]) -> str:
        word = SWAPS[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    male, female = MALE.search(text), FEMALE.search(text)
    if (male is None) == (female is None):
        return None
    return (MALE if male else FEMALE).sub(other, text)


def pandas_regex(path: Path, out: Path, _workers: int) -> int:
    import pandas as pd

    frame = pd.read_parquet(path)
    frame["counterpart"] = frame["problem"].map(plain_counterpart)
    kept = frame[frame["counterpart"].notna()]
    kept[["problem", "counterpart", "solution"]].to_parquet(out / "pandas.parquet")
    return len(kept)


def datasets_map(path: Path, out: Path, workers: int) -> int:
    from datasets import Dataset

    data = Dataset.from_parquet(str(path), cache_dir=str(out / "cache"))
    data = data.map(
        lambda row: {"counterpart": counterpart(row["problem"])},
        num_proc=workers if workers > 1 else None,
    )
    return len(data) - data.data["counterpart"].null_count


PARTS: dict[str, Callable[[Path, Path, int], int]] = {
    "debias_data": ours,
    "label_and_swap": label_and_swap,
    "pandas_regex": pandas_regex,
    "datasets_map": datasets_map,
}


def peak_mib() -> int:
    """Peak memory of this process; `ru_maxrss` would count that of the one it was forked from."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return round(int(found[1]) / KIB_PER_MIB)


def measure(part: str, path: Path, workers: int) -> None:
    """Run one part and print its figures: the child process that `main` starts."""
    rows = pq.ParquetFile(path).metadata.num_rows
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        wall = time.perf_counter()
        kept = PARTS[part](path, Path(out), workers)
        wall = time.perf_counter() - wall
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    figures = {
        "part": part,
        "workers": workers,
        "kept": kept,
        "rows_per_second": round(rows / wall),
        "rows_per_cpu_second": round(rows / cpu),
        "peak_mib": peak_mib(),
        "peak_mib_of_a_worker": round(children.ru_maxrss / KIB_PER_MIB),
    }
    print(json.dumps(figures))


def run(part: str, path: Path, workers: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--part", part, "--data", str(path)]
    done = subprocess.run(
        [*command, "--workers", str(workers)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def is_compiled() -> bool:
    """Whether debias-data is a compiled build."""
    from debias_data.gender import reader

    return not str(reader.__file__).endswith(".py")


def as_markdown(results: list[dict[str, Any]]) -> str:
    names = list(results[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(str(row[name]) for name in names) for row in results]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/numina"))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder for the file that is made")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        measure(arguments.part, arguments.data, arguments.workers)
        return
    source = next(iter(sorted(arguments.data.glob("*.parquet"))), arguments.data)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        path = Path(folder) / "numina.parquet"
        make_file(source, path, arguments.rows)
        results = [
            run("debias_data", path, 1),
            run("debias_data", path, arguments.workers),
            run("label_and_swap", path, 1),
            run("pandas_regex", path, 1),
            run("datasets_map", path, arguments.workers),
        ]
    machine = {"cpus": os.cpu_count(), "python": sys.version}
    result = {
        "machine": machine,
        "is_compiled": is_compiled(),
        "rows": arguments.rows,
        "results": results,
    }
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    print(as_markdown(results))


if __name__ == "__main__":
    main()
