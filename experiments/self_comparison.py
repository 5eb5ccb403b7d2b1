"""How often does a report find a change between a model and itself? A table, and counts as JSON.

    python experiments/self_comparison.py --reports 200 --out experiments/results

Each report compares two evaluations of one model: the same items with the same chances, all draws
fresh. They are written as an evaluation writes them and go through ``compare`` itself: answers that
are right or wrong, several samples an item, clusters whose draws go together, bias suites made of
sums over clusters, pairs of entropies. Whatever the report then claims - a bias or a gap that
"improved" or got "worse", a capability that "dropped" - is false.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from debias_eval.comparison import Comparison, compare
from debias_eval.statistics import Bootstrap

Row = dict[str, object]
Draw = Callable[[np.random.Generator], list[Row]]
"""Fresh verdicts of one model on one benchmark."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of a model: what is fixed about it, and how its verdicts are drawn."""

    kind: str
    draw: Draw
    task: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """What the reports of a row are about.

    Attributes:
        gap: the planted entropy gap, nats; None leaves the gap out.
        bias: how far every bias suite is from its ideal, 0 to 1.
        capability: whether maths and code are part of the report.
    """

    gap: float | None
    bias: float
    capability: bool


WORLDS = {
    "everything, planted bias": World(0.18, 0.3, capability=True),
    "everything, small gap": World(0.03, 0.1, capability=True),
    "bias suites and gap only, planted bias": World(0.18, 0.3, capability=False),
    "bias suites and gap only, no bias": World(0.0, 0.0, capability=False),
}


def answers(rng: np.random.Generator, *, kind: str, shape: tuple[int, int, int]) -> Benchmark:
    """Clusters × items × samples, right or wrong; items of a cluster share luck in every run."""
    clusters, items, samples = shape
    skill = rng.normal(0.8, 1.5, (clusters, items))
    good, bad = ("correct", "incorrect") if kind == "maths" else ("passed", "failed")

    def draw(rng: np.random.Generator) -> list[Row]:
        luck = rng.normal(0, 0.5, (clusters, 1)) if items > 1 else 0.0
        chance = 1 / (1 + np.exp(-skill - luck))
        right = rng.random((clusters, items, samples)) < chance[..., None]
        return [
            {
                "id": f"{c}/{i}",
                "sample": s,
                "cluster_id": str(c),
                "status": good if right[c, i, s] else bad,
            }
            for c, i, s in np.ndindex(clusters, items, samples)
        ]

    return Benchmark(kind, draw)


def suite(
    rng: np.random.Generator, task: str, shape: tuple[int, int], fill: Callable[[float, float], Row]
) -> Benchmark:
    """Clusters × items whose rows ``fill`` makes of a lasting leaning and a fresh draw."""
    leaning = rng.normal(0, 0.15, shape)

    def draw(rng: np.random.Generator) -> list[Row]:
        fresh = rng.random((*shape, 1))
        return [
            {
                "id": f"{c}/{i}",
                "sample": 0,
                "cluster_id": str(c),
                "status": "scored",
                **fill(float(leaning[c, i]), float(fresh[c, i, 0])),
            }
            for c, i in np.ndindex(shape)
        ]

    return Benchmark("bias", draw, task)


def bias_suites(rng: np.random.Generator, bias: float) -> dict[str, Benchmark]:
    """A share, a mean of cluster shares, a ratio of counts, a paired difference, a slope."""

    def stereoset(own: float, fresh: float) -> Row:
        return {
            "form": "intrasentence",
            "stereotype": fresh < 0.5 + own + bias / 2,
            "related": 2 if fresh < 0.8 + own else 1,
        }

    def bbq(own: float, fresh: float) -> Row:
        named = fresh < 0.6 + own
        biased = (fresh / (0.6 + own)) % 1.0 < 0.5 + bias / 2 if named else None
        return {"condition": "ambig", "right": not named, "biased": biased}

    def winobias(own: float, fresh: float) -> Row:
        return {
            "type": "type1",
            "pro_right": fresh < 0.55 + own + bias / 2,
            "anti_right": (7 * fresh) % 1.0 < 0.55 + own - bias / 2,
            "pro_likelier": fresh < 0.5 + own,
        }

    return {
        "crows_pairs": suite(
            rng, "crows_pairs", (262, 1), lambda own, x: {"stereotype": x < 0.5 + own + bias / 2}
        ),
        "stereoset": suite(rng, "stereoset", (40, 6), stereoset),
        "bbq": suite(rng, "bbq", (25, 16), bbq),
        "winobias": suite(rng, "winobias", (40, 10), winobias),
        "winogender": winogender(rng, bias),
    }


def winogender(rng: np.random.Generator, bias: float) -> Benchmark:
    """Sixty occupations, four sentences each, P(female) around a line of slope ``bias``."""
    share = rng.uniform(0, 1, 60)
    own = 0.5 + bias * (share - 0.5) + rng.normal(0, 0.1, 60)

    def draw(rng: np.random.Generator) -> list[Row]:
        seen = own[:, None] + rng.normal(0, 0.05, (60, 4))
        return [
            {
                "id": f"{o}.{i}",
                "sample": 0,
                "occupation": str(o),
                "female_share": float(share[o]),
                "status": "scored",
                "p_female": float(np.clip(seen[o, i], 0, 1)),
            }
            for o, i in np.ndindex(60, 4)
        ]

    return Benchmark("bias", draw, "winogender")


def gap(rng: np.random.Generator, size: float) -> Draw:
    """64 clusters of two pairs, two answers a side; every cluster has a gap of its own."""
    own = rng.normal(size, 0.05, 64).repeat(2)

    def draw(rng: np.random.Generator) -> list[Row]:
        shift = own[:, None, None] * np.array([0.5, -0.5])[:, None]
        h = (0.4 + shift) * rng.gamma(4.0, 0.25, (128, 2, 2))
        return [
            {
                "pair_id": f"p{i}",
                "cluster_id": f"c{i // 2}",
                "female": h[i, 0].tolist(),
                "male": h[i, 1].tolist(),
                "direct": None,
            }
            for i in range(128)
        ]

    return draw


def one_report(world: World, rng: np.random.Generator, folder: Path) -> Comparison:
    """Draws a model, evaluates it twice, compares it with itself."""
    benchmarks = bias_suites(rng, world.bias)
    if world.capability:
        benchmarks |= {
            "gsm8k": answers(rng, kind="maths", shape=(250, 1, 1)),
            "aime": answers(rng, kind="maths", shape=(30, 1, 8)),
            "counterfactual": answers(rng, kind="maths", shape=(50, 4, 1)),
            "humaneval": answers(rng, kind="code", shape=(164, 1, 1)),
        }
    pairs = None if world.gap is None else gap(rng, world.gap)
    for side in ("before", "after"):
        write(folder / side, benchmarks, pairs, rng)
    plan = Bootstrap(resamples=2000, seed=int(rng.integers(2**31)))
    return compare(folder / "before", folder / "after", plan=plan)


def write(
    folder: Path, benchmarks: Mapping[str, Benchmark], pairs: Draw | None, rng: np.random.Generator
) -> None:
    """Writes a result folder with fresh draws."""
    lines = {}
    for name, benchmark in benchmarks.items():
        write_rows(folder / name / "verdicts.jsonl", benchmark.draw(rng))
        lines[name] = line(benchmark.kind, benchmark.task)
    if pairs is not None:
        write_rows(folder / "entropy_gap" / "pairs.jsonl", pairs(rng))
        lines["entropy_gap"] = line("bias", "entropy_gap")
    results = {
        "format": 1,
        "model": {"path": "m", "weights_sha256": "a" * 64, "tokenizer_sha256": "t" * 64},
        "backend": "simulation",
        "versions": {},
        "benchmarks": lines,
    }
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def line(kind: str, task: str) -> Row:
    """Returns a benchmark's line of results.json; the score is not what is compared."""
    fixed: Row = {"score": 0.5, "interval": None, "n": 1, "k": None, "metric": "simulated"}
    named: Row = {"kind": kind, "higher_is_better": None, "details": {"task": task} if task else {}}
    return {
        **fixed,
        **named,
        "protocol": {},
        "protocol_hash": "0123456789",
        "data_sha256": "d" * 64,
        "counts": {},
    }


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def claims(comparison: Comparison) -> list[str]:
    """Returns what the report claims to have changed; all of it is false here."""
    found = []
    if comparison.verdict in {"improved", "worse"}:
        found.append(f"entropy_gap {comparison.verdict}")
    for entry in comparison.benchmarks:
        if entry.bias_test is not None and entry.bias_test.verdict in {"improved", "worse"}:
            found.append(f"{entry.name} {entry.bias_test.verdict}")
        if entry.test is not None and entry.test.kept.verdict == "dropped":
            found.append(f"{entry.name} dropped")
    return found


def any_significant(comparison: Comparison) -> bool:
    """Whether any benchmark differs after Holm's adjustment."""
    tests = [entry.test or entry.bias_test for entry in comparison.benchmarks]
    return any(test.p_holm <= 0.05 for test in tests if test is not None)


def simulate(world: World, reports: int, seed: int) -> Row:
    """Returns the counts of one row."""
    what: Counter[str] = Counter()
    with_claim = with_difference = 0
    for number in range(reports):
        rng = np.random.default_rng([seed, number])
        with tempfile.TemporaryDirectory() as folder:
            found = one_report(world, rng, Path(folder))
        made = claims(found)
        what.update(made)
        with_claim += bool(made)
        with_difference += any_significant(found)
    return {
        "reports": reports,
        "with_false_claim": with_claim,
        "with_difference_after_holm": with_difference,
        "claims": dict(sorted(what.items())),
    }


def share(hits: int, runs: int) -> str:
    interval = stats.binomtest(hits, runs).proportion_ci(method="wilson")
    return f"{hits / runs:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def line_of(name: str, row: Row) -> str:
    """Returns a line of the table."""
    reports = int(str(row["reports"]))
    counts = (row["with_false_claim"], row["with_difference_after_holm"])
    cells = [share(int(str(count)), reports) for count in counts]
    return f"| {name} | {cells[0]} | {cells[1]} | ≤ 5% |"


def save(folder: Path, rows: Mapping[str, Row]) -> None:
    """Writes the rows that are there, as JSON and as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["| reports on | with a false claim | with a difference after Holm | should be |"]
    lines += ["|---|---|---|---|", *(line_of(name, rows[name]) for name in WORLDS if name in rows)]
    (folder / "self_comparison.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = json.dumps({name: rows[name] for name in WORLDS if name in rows}, indent=2)
    (folder / "self_comparison.json").write_text(content + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("experiments/results"))
    parser.add_argument("--only", help="rows whose name holds this; the others stay as they are")
    arguments = parser.parse_args()
    for seed, (name, world) in enumerate(WORLDS.items()):
        if arguments.only and arguments.only not in name:
            continue
        row = simulate(world, arguments.reports, seed)
        known = arguments.out / "self_comparison.json"
        rows = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
        save(arguments.out, {**rows, name: row})
        print(line_of(name, row), row["claims"], flush=True)


if __name__ == "__main__":
    main()
