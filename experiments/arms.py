"""Ways to train, by name: what is minimised, and what differs from the settings of the bed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from experiments.rows import BASE, UNTRAINED

from debias_core.config import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
    TrainConfig,
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train.

    Attributes:
        name: in the table.
        objective: what is minimised; None trains nothing.
        changes: to the settings of the bed.
        male_only: trains on pairs whose two sides are both the male one: there is nothing to learn.
        dev_pairs: held-out pairs that training looks at; None looks at all of them.
    """

    name: str
    objective: ObjectiveConfig | None
    changes: Mapping[str, object] = field(default_factory=dict)
    male_only: bool = False
    dev_pairs: int | None = None

    def settings(self, bed: TrainConfig, seed: int) -> TrainConfig:
        """The settings of the bed with those of the arm."""
        assert self.objective is not None
        changes: dict[str, object] = {"objective": self.objective, "seed": seed, **self.changes}
        return replace(bed, **changes)  # type: ignore[arg-type] # names are those of the fields


OBJECTIVES = (
    Arm(UNTRAINED, None),
    Arm(BASE, ConstrainedConfig()),
    Arm("constrained, rho 20", ConstrainedConfig(rho=20.0)),
    Arm("gee", GeeConfig(), {"max_steps": 300}),
    Arm("group_gap", GroupGapConfig()),
    Arm("group_gap, l1", GroupGapConfig(norm="l1")),
    Arm("group_gap + 0.05 KL", GroupGapConfig(kl=0.05)),
    Arm("pair_gap", PairGapConfig()),
    Arm("direct_gap", DirectGapConfig()),
    Arm("constrained, score function", ConstrainedConfig(), {"score_function": True}),
    Arm("em", EmConfig()),
    Arm("placebo", PlaceboConfig()),
    Arm(
        "constrained, male against male",
        ConstrainedConfig(),
        {"max_steps": 50, "early_stopping": False},
        male_only=True,
    ),
    Arm("cda", CdaConfig()),
    Arm("consistency", ConsistencyConfig()),
)
"""Every objective and baseline."""

SENSITIVITY = (
    Arm("learning_rate 3e-05", ConstrainedConfig(), {"learning_rate": 3e-5}),
    Arm("learning_rate 0.0003", ConstrainedConfig(), {"learning_rate": 3e-4}),
    Arm("rho 20", ConstrainedConfig(rho=20.0)),
    Arm("rho 320", ConstrainedConfig(rho=320.0)),
    Arm("eta 0", ConstrainedConfig(eta=0.0)),
    Arm("eta 4", ConstrainedConfig(eta=4.0)),
    Arm("batch_pairs 8", ConstrainedConfig(), {"effective_batch_size": 16}),
    Arm("batch_pairs 32", ConstrainedConfig(), {"effective_batch_size": 64}),
    Arm("dev_pairs 40", ConstrainedConfig(), dev_pairs=40),
    Arm("target_gap 0.01", ConstrainedConfig(), {"target_gap": 0.01}),
    Arm("target_gap 0.04", ConstrainedConfig(), {"target_gap": 0.04}),
)
"""`constrained` with one setting changed, named in front of its value."""


def named(names: Iterable[str]) -> tuple[Arm, ...]:
    """The objectives of these names, in the order of `OBJECTIVES`.

    Raises:
        ValueError: there is no such arm.
    """
    wanted = set(names)
    unknown = wanted - {arm.name for arm in OBJECTIVES}
    if unknown:
        raise ValueError(f"no such arm: {', '.join(sorted(unknown))}")
    return tuple(arm for arm in OBJECTIVES if arm.name in wanted)


def male_against_male(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The rows with the male prompt on both sides of every pair."""
    male = {row["pair_id"]: row["prompt"] for row in rows if row["group"] == "male"}
    return [{**row, "prompt": male[row["pair_id"]]} for row in rows]


def first_pairs(
    rows: Sequence[Mapping[str, object]], number: int
) -> Sequence[Mapping[str, object]]:
    """The rows of the first so many pairs."""
    kept = set(list(dict.fromkeys(row["pair_id"] for row in rows))[:number])
    return [row for row in rows if row["pair_id"] in kept]
