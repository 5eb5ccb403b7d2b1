"""Do the intervals and tests of a comparison keep their word, kind by kind? A table and JSON.

    python experiments/error_rates.py --runs 1000 --out experiments/results

``simulations.py`` tries what belongs to a gap; here is the rest: answers that are right or wrong,
several samples an item, clusters, shares and slopes made of sums, and every claim at the very point
where it is just false: a drop of exactly the margin, a gap of exactly the margin, no change at all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

from debias_eval.statistics import (
    Bootstrap,
    NonInferiority,
    PairEntropies,
    ScoreChange,
    change_of_score,
    compare_gaps,
    gap_statistics,
    mcnemar_exact,
    moment_bootstrap,
    non_inferiority,
    sign_flip_p,
    wilson_interval,
)
from debias_eval.statistics.clusters import Floats

Rng = np.random.Generator
RESAMPLES = 1000
MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: coverage, or a claim that is false.
        simulated: where the data come from.
        hit: draws data once and says whether the interval covers, or whether the claim is made.
        low: smallest share that is right.
        high: largest share that is right.
    """

    what: str
    simulated: str
    hit: Callable[[Rng], bool]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Items:
    """Two models on the same items.

    Attributes:
        clusters: independent ones.
        per_cluster: items of each, which share their luck within a run.
        samples: answers an item.
        drop: how much lower the second model's true score is.
        base: the first model's true score.
    """

    clusters: int
    per_cluster: int = 1
    samples: int = 1
    drop: float = 0.04
    base: float = 0.8

    def draw(self, rng: Rng) -> NonInferiority:
        size = (self.clusters, self.per_cluster)
        skill = self.base + rng.uniform(-0.15, 0.15, size)
        luck = rng.uniform(-0.05, 0.05, (2, self.clusters, 1)) if self.per_cluster > 1 else (0, 0)
        before = rng.binomial(self.samples, np.clip(skill + luck[0], 0, 1)) / self.samples
        after = rng.binomial(self.samples, np.clip(skill - self.drop + luck[1], 0, 1))
        names = [c for c in range(self.clusters) for _ in range(self.per_cluster)]
        return non_inferiority(before.ravel(), after.ravel() / self.samples, clusters=names)


def covers_drop(items: Items, rng: Rng) -> bool:
    found = items.draw(rng).difference
    return found.low <= -items.drop <= found.high


def keeps_falsely(items: Items, rng: Rng) -> bool:
    """Whether "preserved" is said of a score that fell by exactly the margin."""
    return items.draw(rng).verdict == "preserved"


def differs_falsely(clusters: int, rng: Rng) -> bool:
    before, after = rng.random((2, clusters)) < 0.8
    gained, lost = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    return mcnemar_exact(lost, gained) <= 0.05


def flips_falsely(clusters: int, rng: Rng) -> bool:
    change = rng.gamma(1.0, 1.0, (2, clusters, 3)) + rng.normal(0, 0.5, (2, clusters, 1))
    names = [c for c in range(clusters) for _ in range(3)]
    return sign_flip_p((change[1] - change[0]).ravel(), names, permutations=RESAMPLES) <= 0.05


def share(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] / sums[:, 1])


def slope(sums: Floats) -> Floats:
    n, x, y, xx, xy = sums.T
    return np.asarray((n * xy - x * y) / (n * xx - x * x))


def counts(clusters: int, chance: float, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """Draws per cluster how many items there are and two chances that go together."""
    whole = rng.integers(1, 6, clusters).astype(float)
    own = rng.beta(8 * chance, 8 * (1 - chance), clusters)
    return whole, own, rng.binomial(whole.astype(int), own).astype(float)


def covers_share(clusters: int, rng: Rng) -> bool:
    whole, _, part = counts(clusters, 0.6, rng)
    found = moment_bootstrap(np.column_stack([part, whole]), share, plan=plan(rng))
    return found.low <= 0.6 <= found.high


def covers_slope(occupations: int, rng: Rng) -> bool:
    x = rng.uniform(0, 1, occupations)
    y = 0.5 + 0.2 * (x - 0.5) + rng.normal(0, 0.15, occupations)
    table = np.column_stack([np.ones(occupations), x, y, x * x, x * y])
    found = moment_bootstrap(table, slope, plan=plan(rng))
    return found.low <= 0.2 <= found.high


def change_of_share(clusters: int, chance: float, fall: float, rng: Rng) -> ScoreChange:
    whole, own, before = counts(clusters, chance, rng)
    after = rng.binomial(whole.astype(int), own * (1 - fall / chance)).astype(float)
    tables = [np.column_stack([part, whole]) for part in (before, after)]
    return change_of_score(tables[0], tables[1], share, ideal=0.5, plan=plan(rng))


def covers_change(clusters: int, rng: Rng) -> bool:
    found = change_of_share(clusters, 0.7, 0.1, rng).difference
    return found.low <= -0.1 <= found.high


def improves_falsely(clusters: int, chance: float, rng: Rng) -> bool:
    found = change_of_share(clusters, chance, 0.0, rng)
    return found.verdict(found.p) != "inconclusive"


def covers_proportion(n: int, rng: Rng) -> bool:
    found = wilson_interval(int(rng.binomial(n, 0.9)), n)
    return found.low <= 0.9 <= found.high


def pairs(gap: float, rng: Rng, own: Floats) -> list[PairEntropies]:
    shift = (gap + own)[:, None, None] * np.array([0.5, -0.5])[:, None]
    h = ((0.4 + shift) * rng.gamma(25.0, 0.04, (len(own), 2, 2))).tolist()
    return [
        PairEntropies(str(i), str(i // 2), tuple(female), tuple(male))
        for i, (female, male) in enumerate(h)
    ]


def own_gaps(rng: Rng) -> Floats:
    return np.asarray(rng.normal(0, 0.02, 64).repeat(2))


def equivalent_falsely(rng: Rng) -> bool:
    """Whether a gap of exactly the margin is called equivalent to zero."""
    found = gap_statistics(
        pairs(MARGIN, rng, own_gaps(rng)), margin=MARGIN, resamples=RESAMPLES, seed=seed(rng)
    )
    return found.verdict == "equivalent"


def gap_changes_falsely(gap: float, rng: Rng) -> bool:
    own = own_gaps(rng)
    before, after = pairs(gap, rng, own), pairs(gap, rng, own)
    found = compare_gaps(before, after, margin=MARGIN, resamples=RESAMPLES, seed=seed(rng))
    return found.verdict in {"improved", "worse"}


def seed(rng: Rng) -> int:
    return int(rng.integers(2**31))


def plan(rng: Rng) -> Bootstrap:
    return Bootstrap(resamples=RESAMPLES, seed=seed(rng))


def table() -> list[Row]:
    """Returns every line; non-inferiority and TOST claim at 2.5%, the others at the level named."""
    kinds = {
        "500 items, one answer": Items(500),
        "164 items, one answer": Items(164),
        "60 items × 8 samples": Items(60, samples=8),
        "60 clusters of 4 items": Items(60, per_cluster=4),
    }
    rows = [
        Row("coverage, paired difference of scores", name, partial(covers_drop, items), 0.93, 0.97)
        for name, items in kinds.items()
    ]
    rows += [
        Row("“preserved” at a drop of the margin", name, partial(keeps_falsely, items), 0, 0.055)
        for name, items in kinds.items()
    ]
    coverage = (
        ("Wilson, one score", "100 items at 90%", partial(covers_proportion, 100)),
        ("a share of sums", "60 clusters", partial(covers_share, 60)),
        ("a share of sums", "15 clusters (t)", partial(covers_share, 15)),
        ("a slope over occupations", "60 occupations", partial(covers_slope, 60)),
        ("paired change of a share", "60 clusters", partial(covers_change, 60)),
        ("paired change of a share", "25 clusters", partial(covers_change, 25)),
    )
    rows += [Row(f"coverage, {what}", where, hit, 0.93, 0.97) for what, where, hit in coverage]
    errors = (
        ("“equivalent” at a gap of the margin", "128 pairs in 64 clusters", equivalent_falsely),
        ("a gap's change claimed, none", "gap 0.1", partial(gap_changes_falsely, 0.1)),
        ("a gap's change claimed, none", "gap 0.01", partial(gap_changes_falsely, 0.01)),
        ("McNemar p ≤ .05, no change", "164 items", partial(differs_falsely, 164)),
        ("sign-flip p ≤ .05, no change", "20 clusters of 3", partial(flips_falsely, 20)),
        (
            "a suite's change claimed, none",
            "60 clusters at 70%",
            partial(improves_falsely, 60, 0.7),
        ),
        (
            "a suite's change claimed, none",
            "60 clusters at 50%",
            partial(improves_falsely, 60, 0.5),
        ),
    )
    rows += [Row(what, where, hit, 0, 0.055) for what, where, hit in errors]
    return rows


@dataclass(frozen=True, slots=True)
class Measured:
    """A row with how often it hit, and a 95% interval of that share."""

    row: Row
    runs: int
    hits: int

    @property
    def share(self) -> float:
        return self.hits / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        found = stats.binomtest(self.hits, self.runs).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def to_dict(self) -> dict[str, object]:
        return {
            "what": self.row.what,
            "simulated": self.row.simulated,
            "runs": self.runs,
            "hits": self.hits,
            "share": self.share,
            "interval": list(self.interval),
            "should_be": [self.row.low, self.row.high],
            "is_right": self.row.low <= self.share <= self.row.high,
        }

    def line(self) -> str:
        low, high = self.interval
        wanted = "93–97%" if self.row.low else "≤ 5.5%"
        found = f"{self.share:.1%} [{low:.1%}, {high:.1%}]"
        return f"| {self.row.what} | {self.row.simulated} | {found} | {wanted} |"


def measure(row: Row, runs: int, number: int) -> Measured:
    """Returns how often a row hits; a row has random numbers of its own."""
    hits = sum(row.hit(np.random.default_rng([number, run])) for run in range(runs))
    return Measured(row, runs, hits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("experiments/results"))
    arguments = parser.parse_args()
    found, lines = [], ["| what | simulated | found | should be |", "|---|---|---|---|"]
    for number, row in enumerate(table()):
        result = measure(row, arguments.runs, number)
        found.append(result.to_dict())
        lines.append(result.line())
        print(lines[-1], flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "error_rates.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (arguments.out / "error_rates.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
