"""What the studies say about their rows, and that a study that was stopped goes on."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from experiments import report_study, report_suites
from experiments.arms import OBJECTIVES, SENSITIVITY, first_pairs, male_against_male, named
from experiments.beds import find_shared
from experiments.rows import (
    EMBEDDED,
    STORIES,
    by_arm,
    difference,
    read_rows,
    runs_behind,
    time_ratios,
    with_least_times,
)
from experiments.running import add_row
from experiments.study import jobs, key_of

from debias_core.config import ConstrainedConfig, TrainConfig

PARTS = ["survey", "beds", "sensitivity"]


def suite_row(arm: str, seed: int, change: list[float], *, ideal: float = 0.0) -> dict[str, object]:
    suite = {"before": 0.4, "change": change, "ideal": ideal, "verdict": "inconclusive"}
    row = {"part": "beds", "bed": EMBEDDED, "arm": arm, "seed": seed, "suites": {"bbq": suite}}
    return {**row, "reached": arm != "still"}


def test_a_change_counts_where_its_interval_excludes_zero_and_is_one_only_if_all_agree() -> None:
    rows = [
        suite_row("up", 0, [0.1, 0.05, 0.2]),
        suite_row("up", 1, [0.2, 0.01, 0.3]),
        suite_row("both ways", 0, [0.1, 0.05, 0.2]),
        suite_row("both ways", 1, [-0.1, -0.2, -0.05]),
        suite_row("still", 0, [0.01, -0.02, 0.03]),
        suite_row("still", 1, [0.0, -0.04, 0.01]),
    ]
    up, both, still = report_suites.effects(rows)
    assert (up.told, up.on_every_seed) == (2, True)
    assert (both.told, both.on_every_seed) == (2, False)
    assert (still.told, still.on_every_seed) == (0, False)
    assert up.cell() == "+15.0 [+1.0, +30.0], 2 of 2"
    (sentence, counts, short) = report_suites.findings({EMBEDDED: rows})
    assert sentence == (
        "- embedded, BBQ: changed on every seed by `up` (+15.0, 2 of 2); on some seeds by "
        "`both ways` (2 of 2); no change shown by `still` (intervals within ±4.0)."
    )
    assert "of 6 paired intervals 4 exclude 0, where 0.3 would" in counts
    assert "6 inconclusive" in counts
    assert "closed on every seed by `up` (2 seeds), `both ways` (2 seeds)." in short
    assert short.endswith("Suites changed on every seed - by one or some: BBQ.")


def test_percentages_are_shown_as_they_are() -> None:
    (effect,) = report_suites.effects([suite_row("a", 0, [1.5, -1.0, 2.0], ideal=50.0)])
    assert effect.cell() == "+1.5 [-1.0, +2.0], 0 of 1"


def test_the_survey_names_sets_with_a_gap_and_sets_inside_the_margin() -> None:
    null = {"null_rows": {"a_a": {"gap": {"value": 0.0, "low": -0.1, "high": 0.1}}}}
    rows = [
        {"pairs": "far", "gap": 0.1, "gap_interval": [0.05, 0.15], "direct": None},
        {"pairs": "near", "gap": 0.0, "gap_interval": [-0.01, 0.01], "direct": None},
        {
            "pairs": "open",
            "gap": 0.0,
            "gap_interval": [-0.03, 0.03],
            "direct": {"value": 0.007, "low": 0.004, "high": 0.010},
        },
    ]
    rows = [{**row, **null} for row in rows]
    assert report_study.survey_finding(rows) == (
        "The gap can be told from 0 on far (+0.100). Wholly inside ±0.02 nats: near. The direct "
        "part - the same answers, only the marker differs - can be told from 0 on open (+0.007). "
        "Male against male, where there is none to find, a gap can be told from 0 on no pair set."
    )
    assert "can be told from 0 on no pair set. Wholly inside ±0.02 nats: on none." in (
        report_study.survey_finding(rows[2:])
    )


def test_a_difference_is_over_the_seeds_that_both_arms_have() -> None:
    rows = [{"arm": "a", "seed": s, "kl": 1.0 + s} for s in range(3)]
    rows += [{"arm": "b", "seed": s, "kl": 0.0 + s} for s in (1, 2, 7)]
    first, second = by_arm(rows)
    assert difference(first, second, "kl") == (1.0, 1.0, 1.0, 2)


def row_of_time(arm: str, seed: int, seconds: float, steps: int = 20) -> dict[str, object]:
    return {"arm": arm, "seed": seed, "steps": steps, "cpu_seconds": seconds, "reached": True}


def test_times_are_the_least_of_the_runs_that_timed_them() -> None:
    rows = [
        row_of_time("constrained", 0, 9.0),
        row_of_time("gee", 0, 80.0),
        row_of_time("em", 0, 5.0),
    ]
    again = [
        *(row_of_time("constrained", 0, seconds) for seconds in (25.0, 20.0)),
        *(row_of_time("gee", 0, seconds) for seconds in (40.0, 60.0)),
    ]
    arms = by_arm(with_least_times(rows, again))
    assert time_ratios(arms) == [0.5], "runs that were timed alone count alone"
    assert runs_behind(arms) == ", the least of 2 runs each"
    assert [arm.values("cpu_seconds") for arm in arms] == [[20.0], [40.0], [5.0]]
    assert runs_behind(by_arm(rows)) == ""


def test_a_training_that_was_another_one_when_it_was_timed_is_refused() -> None:
    rows = [row_of_time("gee", 3, 50.0)]
    with pytest.raises(ValueError, match="gee, seed 3: 21 steps when it was timed, 20 in the"):
        with_least_times(rows, [row_of_time("gee", 3, 40.0, steps=21)])


def test_every_sensitivity_arm_changes_one_setting() -> None:
    base = TrainConfig()
    for arm in SENSITIVITY:
        own = arm.settings(base, seed=0)
        changed = [f.name for f in fields(own) if getattr(own, f.name) != getattr(base, f.name)]
        assert len(changed) + (arm.dev_pairs is not None) == 1, arm.name
        objective = own.objective
        assert isinstance(objective, ConstrainedConfig)
        default = ConstrainedConfig()
        weights = [n for n in ("rho", "eta", "kl") if getattr(objective, n) != getattr(default, n)]
        assert len(weights) == (changed == ["objective"]), arm.name


def test_arms_by_name() -> None:
    assert [arm.name for arm in named(["gee", "constrained"])] == ["constrained", "gee"]
    assert len({arm.name for arm in (*OBJECTIVES, *SENSITIVITY)}) == len(OBJECTIVES + SENSITIVITY)
    with pytest.raises(ValueError, match="no such arm: gea"):
        named(["gea"])


def test_pairs_are_taken_whole() -> None:
    rows = [
        {"pair_id": pair, "group": group, "prompt": f"{pair} {group}"}
        for pair in ("x", "y")
        for group in ("female", "male")
    ]
    assert first_pairs(rows, 1) == rows[:2]
    assert [row["prompt"] for row in male_against_male(rows)] == ["x male"] * 2 + ["y male"] * 2


def test_a_study_that_was_stopped_knows_what_is_done(tmp_path: Path) -> None:
    todo = list(jobs(seeds=2, beds=[EMBEDDED, STORIES], parts=PARTS))
    assert len({job.key for job in todo}) == len(todo)
    file = tmp_path / "study.jsonl"
    assert list(read_rows(file)) == []
    for job in todo:
        name = {"arm": job.arm.name} if job.arm else {"pairs": job.pairs}
        add_row(file, {"part": job.part, "bed": job.bed, "seed": job.seed, **name})
    assert [key_of(row) for row in read_rows(file)] == [job.key for job in todo]


def test_without_the_real_model_only_the_embedded_one_is_studied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBIAS_SHARED", raising=False)
    assert find_shared(tmp_path / "nothing") is None
    assert find_shared(None) is None
    assert find_shared(tmp_path) == tmp_path.resolve()
    assert {job.bed for job in jobs(seeds=1, beds=[EMBEDDED], parts=PARTS)} == {EMBEDDED}
