"""Sweeps: their points, what is refused, what is the best, and a whole one."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from debias_cli.commands.inspect import plan_file
from debias_cli.config.load import LoadedConfig, derive, parse_config
from debias_cli.config.points import listed_points, point_text
from debias_cli.config.sweep import GridSweep, RandomSweep
from debias_cli.errors import ConfigError, MissingError
from debias_cli.stages import asking, packages
from debias_cli.stages.asking import asker
from debias_cli.stages.graph import run_folder, sweep_folder
from debias_cli.stages.planning import Selection
from debias_cli.stages.ranking import Held, PointResult, as_number, best_of, caveats
from debias_cli.stages.sweep_table import sweep_markdown, verdict
from debias_cli.stages.sweeping import run_sweep
from debias_cli.ui.output import Output

BASE = """\
run: {name: s, output_dir: /runs}
model: {path: testbed}
data: {sources: [{kind: synthetic}]}
train: {max_steps: 5, objective: {kind: constrained}}
"""
RANGES = (
    "{kind: float, field: train.learning_rate, low: 1e-5, high: 1e-2, log: true}, "
    "{kind: int, field: train.max_steps, low: 2, high: 6}, "
    "{kind: values, field: train.objective, values: [{kind: gee}, {kind: constrained, rho: 5}]}"
)


def load(sweep: str, *overrides: str) -> LoadedConfig:
    text = f"{BASE}sweep: {sweep}\n"
    return parse_config(text, source="p.yaml", base=Path("/base"), overrides=overrides)


def problems(sweep: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(sweep, *overrides)
    return str(caught.value).splitlines()


def test_a_grid_is_every_combination_with_the_last_field_fastest() -> None:
    sweep = load(
        "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [1, 2]}, "
        "{kind: values, field: train.learning_rate, values: [1e-5, 1e-4]}]}"
    ).config.sweep
    assert isinstance(sweep, GridSweep)
    assert [list(point.values()) for point in listed_points(sweep)] == [
        [1, 1e-5],
        [1, 1e-4],
        [2, 1e-5],
        [2, 1e-4],
    ]


def test_random_points_are_seeded_typed_and_inside_their_ranges() -> None:
    sweep = load(f"{{kind: random, points: 40, parameters: [{RANGES}]}}").config.sweep
    assert isinstance(sweep, RandomSweep)
    points = listed_points(sweep)
    assert points == listed_points(sweep)
    assert len({repr(point) for point in points}) == 40
    rates = [point["train.learning_rate"] for point in points]
    assert all(isinstance(rate, float) and 1e-5 <= rate <= 1e-2 for rate in rates)
    assert 10 < sum(rate < 3e-4 for rate in rates) < 30  # type: ignore[operator] # all floats
    assert {point["train.max_steps"] for point in points} == {2, 3, 4, 5, 6}
    other = listed_points(sweep.model_copy(update={"seed": 1}))
    assert other != points


def test_a_small_space_has_fewer_points() -> None:
    sweep = load(
        "{kind: random, points: 9, parameters: [{kind: int, field: train.max_steps, low: 1, "
        "high: 3}]}"
    ).config.sweep
    assert isinstance(sweep, RandomSweep)
    assert sorted(point["train.max_steps"] for point in listed_points(sweep)) == [1, 2, 3]  # type: ignore[type-var] # all numbers


def test_a_point_is_the_file_with_its_fields_changed() -> None:
    grid = "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [5, 7]}]}"
    loaded = load(grid, "train.learning_rate=0.5")
    point = derive(loaded, {"train.max_steps": 7})
    assert point.config.sweep is None
    assert point.config.train is not None
    assert (point.config.train.max_steps, point.config.train.learning_rate) == (7, 0.5)
    assert loaded.config.train is not None
    assert loaded.config.train.max_steps == 5
    plain = parse_config(BASE, source="p.yaml", base=Path("/base"))
    same = run_folder(derive(load(grid), {"train.max_steps": 5}))
    assert same.path == run_folder(plain).path  # the run without a sweep answers for its point
    assert sweep_folder(loaded).name.startswith("s-sweep-")


def test_a_field_that_came_by_an_alias_changes_alone() -> None:
    text = BASE.replace(
        "{max_steps: 5, objective: {kind: constrained}}",
        "{objective: &o {kind: gee}, compare_with: [X]}",
    )
    text = text.replace("X", "{name: other, objective: *o}")
    loaded = parse_config(
        text, source="p.yaml", base=Path("/b"), overrides=["train.objective.lambda=9"]
    )
    train = loaded.config.train
    assert train is not None
    objectives = (train.objective, train.compare_with[0].objective)
    assert [item.model_dump()["lambda_"] for item in objectives] == [9, 3]


def test_every_wrong_value_is_found_at_its_place() -> None:
    assert problems(
        "{kind: grid, parameters: ["
        "{kind: values, field: train.learning_rate, values: [1e-5, -1, yes]}, "
        "{kind: values, field: train.objective.roh, values: [1]}]}"
    ) == [
        "p.yaml:5:92 sweep.parameters.0.values.1: train.learning_rate: -1 must be greater than 0.0",
        "p.yaml:5:96 sweep.parameters.0.values.2: train.learning_rate: 'yes' is not a number",
        "p.yaml:5:155 sweep.parameters.1.values.0: train.objective.roh: unknown field; "
        "did you mean 'rho'?",
    ]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ("{kind: gird, parameters: []}", "sweep.kind: 'gird' is not one of"),
        ("{kind: grid, parameters: []}", "sweep.parameters"),
        ("{kind: grid}", "sweep.parameters: required field is missing"),
        (f"{{kind: grid, parameters: [{RANGES}]}}", "'float' is not"),
        (
            "{kind: grid, parameters: [{kind: values, field: run.name, values: [a]}]}",
            "'run.name' does not match",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.x.y.z, values: [1]}]}",
            "train.x: unknown field",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [1, 1]}]}",
            "values of train.max_steps holds a value twice",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.max_steps.x, values: [1]}]}",
            "'train.max_steps' is a value and has no fields",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [1]}, "
            "{kind: values, field: train.max_steps, values: [2]}]}",
            "field train.max_steps is varied twice",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.objective, values: [{kind: em}]}"
            ", {kind: values, field: train.objective.kl, values: [2]}]}",
            "train.objective.kl is part of train.objective, which is varied too",
        ),
        (
            "{kind: grid, parameters: [{kind: values, field: train.target_gap, values: [1]}]}",
            "vary it with criterion: gap_bound",
        ),
        (
            "{kind: random, parameters: [{kind: float, field: train.learning_rate, low: 1, "
            "high: 1}]}",
            "low 1.0 must be less than high 1.0",
        ),
        (
            "{kind: random, parameters: [{kind: float, field: train.learning_rate, low: 0, "
            "high: 1, log: true}]}",
            "log needs low above 0",
        ),
        (
            "{kind: optuna, parameters: [{kind: float, field: train.learning_rate, low: 0.1, "
            "high: 2}]}",
            "p.yaml:5:94 sweep.parameters.0.high: train.learning_rate: 2.0 must be at most 1.0",
        ),
        ("{kind: random, points: 0, parameters: [" + RANGES + "]}", "sweep.points: 0 must be"),
        ("{kind: random, pionts: 3, parameters: [" + RANGES + "]}", "did you mean 'points'?"),
    ],
)
def test_what_is_refused(sweep: str, words: str) -> None:
    found = problems(sweep)
    assert any(words in line for line in found), found
    assert all(line.startswith("p.yaml:5:") for line in found), found


def test_a_grid_that_is_too_large() -> None:
    values = ", ".join(map(str, range(1, 31)))
    parameters = ", ".join(
        f"{{kind: values, field: {field}, values: [{values}]}}"
        for field in ("train.max_steps", "train.patience")
    )
    (line,) = problems(f"{{kind: grid, parameters: [{parameters}]}}")
    assert "a grid of 900 points; at most 500: take kind: random" in line


VALUES = "{kind: values, field: train.max_steps, values: [1]}"
HOSTILE = {
    "brackets": "[" * 20_000,
    "braces": "{kind: grid, parameters: " + "{" * 20_000,
    "a tag": "!!python/object:os.system {kind: grid}",
    "a tagged value": "{kind: grid, parameters: [" + VALUES.replace("[1]", "!!int [1]") + "]}",
    "a cyclic anchor": "&a {kind: grid, parameters: [*a]}",
    "a cyclic value": "{kind: grid, parameters: [" + VALUES.replace("[1]", "&a [*a]") + "]}",
    "a bomb": "{a: &a [1,1,1,1,1,1,1,1,1,1], "
    + ", ".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]" for i in range(8)
    )
    + "}",
    "a duplicate key": "{kind: grid, kind: random, parameters: [" + VALUES + "]}",
    "not a number": "{kind: random, points: .nan, parameters: [" + VALUES + "]}",
    "a long path": "{kind: grid, parameters: [" + VALUES.replace("max_steps", "a." * 9_000) + "]}",
    "a long value": "{kind: grid, parameters: [" + VALUES.replace("1", "x" * 90_000) + "]}",
    "wrong values": f"{{kind: grid, parameters: [{VALUES}]}}".replace(
        "[1]", str([f"v{i}" for i in range(400)])
    ),
    "many combinations": "{kind: grid, parameters: ["
    + ", ".join(
        VALUES.replace("max_steps", f"f{i}").replace("[1]", str(list(range(400))))
        for i in range(20)
    )
    + "]}",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("by_override", [False, True])
def test_hostile_sweeps_are_refused(name: str, by_override: bool) -> None:
    text = BASE if by_override else f"{BASE}sweep: {HOSTILE[name]}\n"
    overrides = [f"sweep={HOSTILE[name]}"] if by_override else []
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="p.yaml", base=Path("/b"), overrides=overrides)
    lines = str(caught.value).splitlines()
    assert 1 <= len(lines) <= 110
    assert all(line.startswith("--set" if by_override else "p.yaml:5:") for line in lines)
    assert max(map(len, lines)) < 1000


def test_a_sweep_needs_training() -> None:
    text = "model: {path: testbed}\nevaluate: {tasks: [{kind: gsm8k}]}\nsweep: SWEEP\n"
    sweep = "{kind: grid, parameters: [{kind: values, field: model.dtype, values: [float32]}]}"
    with pytest.raises(ConfigError, match="section 'sweep' needs section 'train'"):
        parse_config(text.replace("SWEEP", sweep), source="p.yaml", base=Path("/b"))


def held(gap: float, kl: float, *, inside: bool) -> Held:
    return Held(gap, gap - 0.01, gap + 0.01, kl, inside=inside, steps=5, seconds=1.0)


def results(*found: Held | None) -> list[PointResult]:
    return [
        PointResult(number, {"train.x": number}, Path(f"/runs/{number}"), item, None)
        for number, item in enumerate(found, start=1)
    ]


def test_the_best_point() -> None:
    points = results(
        held(0.2, 0.001, inside=False),
        held(0.01, 0.5, inside=True),
        None,
        held(-0.015, 0.2, inside=True),
        held(0.0, 0.9, inside=False),
    )
    best = best_of(points, "least_kl")
    assert best is not None
    assert best.number == 4
    closest = best_of(points, "gap_bound")
    assert closest is not None
    assert closest.number == 5
    alone = best_of([points[0], points[4]], "least_kl")
    assert alone is not None
    assert alone.number == 5  # none is inside: the least bound
    assert best_of([points[2]], "least_kl") is None
    kept = [item.held for item in points if item.held is not None]
    by_number = sorted(kept, key=lambda item: as_number(item, "least_kl"))
    assert [item.kl for item in by_number] == [0.2, 0.5, 0.9, 0.001]


def test_the_table_says_what_it_is_worth() -> None:
    points = results(held(0.2, 0.001, inside=False), None)
    tested = {"value": 0.1, "interval": [0.05, 0.15]}
    table: dict[str, object] = {
        "fields": ["train.x"],
        "criterion_text": "least",
        "best_on_test_pairs": tested,
        "notes": caveats(["data.seed"], 3),
    }
    text = sweep_markdown(table, points, points[0])
    assert "| **1** | 1 | +0.2000 [+0.1900, +0.2100] | 0.0010 | no | 5 | 1.0 s |" in text
    assert "| 2 | 2 | failed: None | – | – | – | – |" in text
    assert "on pairs (split test) that nothing was chosen by" in text
    assert "Each figure is the worst of 3 seeds." in text
    assert "data.seed changes what is measured" in text
    assert verdict(table, points[0]).endswith("test pairs: +0.1000 [+0.0500, +0.1500] nats.")
    assert verdict(table, None) == "Every point failed."


@pytest.mark.skipif(find_spec("optuna") is None, reason="the extra optuna is not installed")
def test_optuna_asks_the_same_points_for_the_same_scores() -> None:
    sweep = load(f"{{kind: optuna, points: 14, parameters: [{RANGES}]}}").config.sweep
    assert sweep is not None

    def asked() -> list[str]:
        source, found = asker(sweep), []
        for point in source.points():
            rate = point["train.learning_rate"]
            assert isinstance(rate, float)
            found.append(point_text(point))
            source.judge(None if len(found) == 3 else abs(rate - 1e-3))
        return found

    first = asked()
    assert len(first) == 14
    assert asked() == first


def test_without_optuna_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "find_spec", lambda name: None)
    sweep = load(f"{{kind: optuna, parameters: [{RANGES}]}}").config.sweep
    assert sweep is not None
    with pytest.raises(MissingError, match=r"pip install 'debias-cli\[optuna\]'") as caught:
        asker(sweep)
    assert caught.value.exit_code == 4


def test_plan_names_a_package_that_a_point_lacks(
    monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    sweep = "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [1, 2]}]}"
    changes = [f"sweep={sweep}", "train.trackers=[wandb]"]
    with pytest.raises(MissingError, match=r"train.trackers: wandb needs the package wandb"):
        plan_file(small, changes, Selection(), Output())


def test_plan_shows_every_point(cli: Callable[..., object], small: Path) -> None:
    sweep = "{kind: grid, parameters: [{kind: values, field: train.max_steps, values: [1, 2, 3]}]}"
    done = cli("plan", small, "--set", f"sweep={sweep}")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined] # a finished process
    lines = done.stdout.splitlines()  # type: ignore[attr-defined] # as above
    assert "point 1: train.max_steps=1: data, train-constrained-s0 would run" in lines[3]
    assert "point 2: train.max_steps=2: train-constrained-s0 would run" in lines[4]
    assert lines[-1] == "3 of 3 points would run"


@pytest.mark.slow
def test_a_whole_sweep_and_what_the_next_one_does(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = small.read_text().split("evaluate:")[0] + "evaluate:\n  tasks:\n"
    text += "    - {kind: entropy_gap, pairs: 6, samples: 1, max_new_tokens: 8}\n"
    text += (
        "sweep: {kind: grid, parameters: "
        "[{kind: values, field: train.learning_rate, values: [1e-5, 1e-3]}]}\n"
    )
    loaded = parse_config(text, source="s.yaml", base=tmp_path)
    first = run_sweep(loaded)
    assert [item.number for item in first.points] == [1, 2]
    assert len({item.folder for item in first.points}) == 2
    assert first.best is not None
    assert first.best.report is not None
    best = next(item for item in first.points if item.number == first.table["best"])
    other = next(item for item in first.points if item is not best)
    assert not (other.folder / "baseline").exists()  # the best one alone is evaluated
    content = json.loads((first.folder / "sweep.json").read_text())
    assert content["best_on_test_pairs"]["run"] == "constrained-s0"
    assert content["points"][0]["held_out"]["steps"] == 2

    again = run_sweep(loaded)
    assert again.best is not None
    assert again.best.ran == ()
    assert again.points == first.points
