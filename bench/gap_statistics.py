"""How long the statistics of an entropy gap take; prints JSON.

    python bench/gap_statistics.py [--pairs 10000] [--samples 16] [--resamples 10000] [--out FILE]

The goal is 10,000 pairs of 16 answers with 10,000 resamples in under 10 seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from debias_eval.statistics import PairEntropies, gap_statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    h = rng.normal(1.0, 0.3, size=(arguments.pairs, 2, arguments.samples))
    pairs = [
        PairEntropies(str(i), str(i), tuple(female), tuple(male), None)
        for i, (female, male) in enumerate(h.tolist())
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    gap_statistics(pairs, resamples=arguments.resamples)
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    result = {
        "pairs": arguments.pairs,
        "samples": arguments.samples,
        "resamples": arguments.resamples,
        **{clock: round(seconds, 2) for clock, seconds in spent.items()},
    }
    text = json.dumps(result)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
