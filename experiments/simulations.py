"""Do the intervals cover, does training stop for nothing, is the permutation p uniform? A table.

    python experiments/simulations.py --runs 1000 --out experiments/results

Entropies are simulated as they come: answers of a prompt scatter (skewed, never negative), pairs of
one cluster share a deviation, the gap is known. The code that judges is the one that ships: the
interval that training stops on, the stopping rule itself, the interval and the sign-flip p of the
report.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from debias_core.config import TrainConfig
from debias_core.recovery.weights import TrainedWeights
from debias_core.training.heldout import DevEvaluation
from debias_core.training.looks import draws_of_a_look, look_until_settled
from debias_core.training.progress import RunProgress
from debias_core.training.statistics import GapEstimate, estimate_gap
from debias_eval.statistics import PairEntropies, gap_statistics


@dataclass(frozen=True, slots=True)
class World:
    """Where entropies come from.

    Attributes:
        gap: the true gap, nats.
        clusters: independent ones.
        per_cluster: pairs of each.
        samples: answers a side.
        between: standard deviation of a cluster's own gap, nats.
        noise: of an answer's entropy, as a share of its mean.
    """

    gap: float
    clusters: int = 64
    per_cluster: int = 2
    samples: int = 1
    between: float = 0.05
    noise: float = 0.5

    def own_gaps(self, rng: np.random.Generator) -> np.ndarray:
        """Draws what every cluster's gap is; it stays the same from look to look."""
        return np.asarray(self.gap + rng.normal(0, self.between, self.clusters))

    def draw(
        self, rng: np.random.Generator, own: np.ndarray, samples: int | None = None
    ) -> np.ndarray:
        """Draws the entropies of answers, [pairs, 2, samples]."""
        shift = own.repeat(self.per_cluster)[:, None, None] * np.array([0.5, -0.5])[:, None]
        shape = 1 / self.noise**2
        size = (self.clusters * self.per_cluster, 2, samples or self.samples)
        return np.asarray((0.25 + shift) * rng.gamma(shape, 1 / shape, size))

    def names(self) -> list[str]:
        return [str(i // self.per_cluster) for i in range(self.clusters * self.per_cluster)]


def training_interval(world: World, rng: np.random.Generator) -> GapEstimate:
    h = world.draw(rng, world.own_gaps(rng)).mean(-1)
    return estimate_gap(list(h[:, 0] - h[:, 1]), world.names())


def report(world: World, rng: np.random.Generator) -> tuple[float, float, float]:
    """Returns both ends of the report's interval and the permutation p."""
    h = world.draw(rng, world.own_gaps(rng))
    pairs = [
        PairEntropies(str(i), name, tuple(female), tuple(male), None)
        for i, (name, (female, male)) in enumerate(zip(world.names(), h.tolist(), strict=True))
    ]
    found = gap_statistics(pairs, resamples=2000, seed=int(rng.integers(2**31)))
    assert found.gap.low is not None
    assert found.gap.high is not None
    return found.gap.low, found.gap.high, found.p_sign_flip


def stops(world: World, rng: np.random.Generator, confirm_after: int | None) -> bool:
    """Whether the trainer's own rule ends a training of 60 steps that change nothing."""
    settings = TrainConfig(max_steps=60, confirm_after=confirm_after)
    progress = RunProgress(settings, lambda _: None)
    own, weights = world.own_gaps(rng), TrainedWeights(torch.nn.Linear(1, 1))
    for step in range(settings.max_steps + 1):
        if step == 0 or progress.look_is_due(step):
            gap = look(world, rng, own, settings, confirming=progress.confirming)
            progress.add_look(DevEvaluation(step, gap, (0.0, 0.0), 0.0, 0.0, 0.0), weights)
        if progress.stop_reason is not None:
            break
    return progress.stop_reason == "target"


def look(
    world: World,
    rng: np.random.Generator,
    own: np.ndarray,
    settings: TrainConfig,
    *,
    confirming: bool,
) -> GapEstimate:
    """Looks as the trainer does: at as many answers as settle it."""
    sizes = [world.per_cluster] * world.clusters
    answers = world.draw(rng, own, 2 * settings.dev_samples)
    _, gap = look_until_settled(
        draws_of_a_look(sizes, settings, confirming=confirming),
        lambda draw: answers[draw.pairs][:, :, draw.samples, None],
        clusters=world.names(),
        target=settings.target_gap,
    )
    return gap


def share(hits: int, runs: int) -> str:
    interval = stats.binomtest(hits, runs).proportion_ci(method="wilson")
    return f"{hits / runs:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


WORLDS = {
    "128 pairs in 64 clusters, K=1": World(0.05),
    "128 pairs, each its own cluster, K=1": World(0.05, clusters=128, per_cluster=1),
    "32 pairs in 16 clusters, K=4": World(0.05, clusters=16, samples=4),
    "256 pairs in 64 clusters, K=1, strong clusters": World(0.05, per_cluster=4, between=0.1),
}
NULLS = {
    "gap at the margin (0.02)": World(0.02, between=0.02, noise=0.1),
    "gap at the margin, few clusters": World(0.02, clusters=16, between=0.01, noise=0.1),
    "gap at the margin, noisy": World(0.02),
    "gap at the margin, looks in parts": World(0.02, clusters=256, per_cluster=1, noise=0.3),
    "gap of the test bed (0.18)": World(0.18),
}


RULES = {
    "false stops in 60 steps": TrainConfig().confirm_after,
    "false stops, confirmed at the next regular look": None,
}
COLUMNS = ("what", "simulated", "found", "should be")


def simulate(runs: int, say: Callable[[str], None]) -> list[tuple[str, ...]]:
    """Returns the rows of the table, a cell a column."""
    rows: list[tuple[str, ...]] = []

    def add(*cells: str) -> None:
        rows.append(cells)
        say(" | ".join(cells))

    for name, world in WORLDS.items():
        rng = np.random.default_rng(1)
        hits = [training_interval(world, rng) for _ in range(runs)]
        covered = sum(found.low <= world.gap <= found.high for found in hits)
        add("coverage, training interval", name, share(covered, runs), "93–97%")
    for name, world in WORLDS.items():
        rng = np.random.default_rng(2)
        ends = [report(world, rng) for _ in range(runs)]
        covered = sum(low <= world.gap <= high for low, high, _ in ends)
        add("coverage, interval of the report", name, share(covered, runs), "93–97%")
    for what, confirm_after in RULES.items():
        for name, world in NULLS.items():
            rng = np.random.default_rng(3)
            stopped = sum(stops(world, rng, confirm_after) for _ in range(runs))
            add(what, name, share(stopped, runs), "< 5%")
    for name in ("128 pairs in 64 clusters, K=1", "32 pairs in 16 clusters, K=4"):
        world = World(0.0, WORLDS[name].clusters, WORLDS[name].per_cluster, WORLDS[name].samples)
        rng = np.random.default_rng(4)
        ps = [report(world, rng)[2] for _ in range(runs)]
        below = share(sum(p < 0.05 for p in ps), runs)
        uniform = stats.kstest(ps, "uniform").pvalue
        add("sign-flip p under no gap", name, f"p < .05 in {below}; KS p {uniform:.2f}", "5%")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("experiments/results"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = simulate(arguments.runs, lambda line: print(line, flush=True))
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    (arguments.out / "simulations.md").write_text(table)
    content = {
        "runs": arguments.runs,
        "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
    }
    (arguments.out / "simulations.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
