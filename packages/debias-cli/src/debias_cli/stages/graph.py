"""Which stages a configuration has, and the key of each.

```
data ──┬─> baseline ─────────────────────────┬─> compare ─> report
       └─> train-OBJECTIVE-sN ─> eval-OBJECTIVE-sN ┘
```

Without training, the report is one of the original alone.

A stage's key is the hash of the part of the configuration that it reads, the content of its
input files, the code that runs it, and the keys of the stages before it. An evaluation is made of
benchmarks with keys of their own (`benchmarks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from debias_cli.config.load import LoadedConfig, map_paths
from debias_cli.config.objectives import Objective
from debias_cli.config.train import Comparison, TrainSection
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.rundir.folder import RunFolder
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.benchmarks import Measured, benchmarks_of, reads_pairs
from debias_cli.stages.fingerprints import (
    check_tasks_exist,
    model_fingerprint,
    path_fingerprints,
    task_fingerprints,
)
from debias_cli.stages.keys import Benchmark, code_of, hash_of, key_of
from debias_cli.stages.protocols import check_protocols
from debias_data.config import BuildConfig

StageKind = Literal["data", "evaluate", "train", "compare", "report"]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training: an objective under a seed.

    Attributes:
        label: name in tables, such as `constrained`.
        main: whether it is `train.objective` (the others are shown beside it).
    """

    label: str
    objective: Objective
    seed: int
    main: bool
    overrides: Mapping[str, Plain] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`constrained-s0`, the name in folders."""
        return f"{self.label}-s{self.seed}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage and everything that decides its result; `benchmarks` are those of an evaluation."""

    name: str
    kind: StageKind
    needs: tuple[str, ...]
    config: Mapping[str, Plain]
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    key: str
    training: TrainingRun | None = None
    benchmarks: tuple[Benchmark, ...] = ()


def training_runs(train: TrainSection | None) -> list[TrainingRun]:
    """The main objective, then those it is compared with, each under every seed."""
    if train is None:
        return []
    runs = []
    for seed in train.seeds:
        runs.append(TrainingRun(train.objective.kind, train.objective, seed, main=True))
        runs += [
            TrainingRun(item.label, item.objective, seed, main=False, overrides=_overrides(item))
            for item in train.compare_with
        ]
    return runs


def _overrides(item: Comparison) -> dict[str, Plain]:
    names = ("max_steps", "learning_rate", "eval_every", "early_stopping")
    return {name: getattr(item, name) for name in names if getattr(item, name) is not None}


def folder_key(config: PipelineConfig) -> str:
    """The part of a run folder's name that tells one configuration from another, 8 digits."""
    plain = config.model_dump(mode="json", by_alias=True, exclude={"run", "report", "sweep"})
    return hash_of({**plain, "seed": config.run.seed})[:8]


def run_folder(loaded: LoadedConfig) -> RunFolder:
    """The folder of a configuration's run; it need not exist."""
    run = loaded.config.run
    return RunFolder(run.output_dir / f"{run.name}-{folder_key(loaded.config)}")


def sweep_folder(loaded: LoadedConfig) -> Path:
    """The folder of a sweep's table; it need not exist."""
    run = loaded.config.run
    plain = loaded.config.model_dump(mode="json", by_alias=True, exclude={"run", "report"})
    return run.output_dir / f"{run.name}-sweep-{hash_of({**plain, 'seed': run.seed})[:8]}"


def build_graph(loaded: LoadedConfig, hashes: HashCache) -> list[Stage]:
    """The stages in the order in which they run.

    Raises:
        MissingError: an input file, a model folder or a package is not there.
        ConfigError: a protocol is unknown, or the model has no chat template for it.
    """
    builder = _GraphBuilder(loaded, hashes)
    return list(builder.stages())


class _GraphBuilder:
    """Makes stages one after the other; each finds the keys of those before it."""

    def __init__(self, loaded: LoadedConfig, hashes: HashCache) -> None:
        self.loaded, self.config, self.hashes = loaded, loaded.config, hashes
        self.plain: dict[str, Plain] = loaded.config.model_dump(mode="json", by_alias=True)
        self.keys: dict[str, str] = {}
        self.data: dict[str, dict[Path, str]] = {}
        self.model = {"model": model_fingerprint(self.config.model, hashes)}

    def stages(self) -> Iterator[Stage]:
        """Yields data, baseline, training and evaluation of every run, compare, report."""
        config = self.config
        check_protocols(self.loaded)
        if config.data is not None:
            yield self._data(config.data)
        pairs = ("data",) if config.data is not None else ()
        evaluations: list[str] = []
        if config.evaluate is not None:
            check_tasks_exist(config.evaluate)
            self.data = task_fingerprints(config.evaluate, self.hashes)
            yield self._evaluation("baseline", None)
        for run in training_runs(config.train):
            train = f"train-{run.name}"
            yield self._stage(train, "train", pairs, inputs=self.model, training=run)
            if config.evaluate is not None:
                evaluations.append(f"eval-{run.name}")
                yield self._evaluation(evaluations[-1], run)
        if evaluations:
            trains = tuple(name for name in self.keys if name.startswith("train-"))
            yield self._stage("compare", "compare", ("baseline", *evaluations, *trains))
        if config.evaluate is not None:
            yield self._stage("report", "report", tuple(self.keys))

    def _data(self, section: BuildConfig) -> Stage:
        inputs = path_fingerprints(section, self.hashes)
        # where a file lies does not matter: its content stands in the key in place of its path
        by_content = map_paths(section, lambda path: Path(inputs[str(path)]))
        expanded = {"data": by_content.model_dump(mode="json", by_alias=True)}
        return self._stage("data", "data", (), inputs=inputs, expanded=expanded)

    def _evaluation(self, name: str, training: TrainingRun | None) -> Stage:
        section = self.config.evaluate
        assert section is not None
        needs: tuple[str, ...] = ("data",) if reads_pairs(section) else ()
        needs += () if training is None else (f"train-{training.name}",)
        inputs = self.model if training is None else {}
        measured = Measured(inputs, {need: self.keys[need] for need in needs})
        found = tuple(benchmarks_of(self.loaded, measured, self.data))
        self.keys[name] = key = key_of({"benchmarks": [(item.name, item.key) for item in found]})
        return Stage(
            name,
            "evaluate",
            needs,
            config={"benchmarks": [item.name for item in found]},
            inputs={path: text for item in found for path, text in item.inputs.items()},
            code=code_of("evaluate"),
            key=key,
            training=training,
            benchmarks=found,
        )

    def _stage(
        self,
        name: str,
        kind: StageKind,
        needs: tuple[str, ...],
        *,
        inputs: Mapping[str, str] | None = None,
        training: TrainingRun | None = None,
        expanded: Mapping[str, Plain] | None = None,
    ) -> Stage:
        code = code_of(kind)
        if expanded is None:
            expanded = _section_of(self.plain, kind, training)
        # hashed over expanded values; the record keeps references to the environment unexpanded
        content = {
            "kind": kind,
            "config": expanded,
            "inputs": list((inputs or {}).values()),
            "code": code,
            "needs": {need: self.keys[need] for need in needs},
        }
        self.keys[name] = key = key_of(content)
        section = _section_of(self.loaded.saved, kind, training)
        return Stage(name, kind, needs, section, inputs or {}, code, key, training)


def _section_of(
    plain: Mapping[str, Plain], kind: StageKind, training: TrainingRun | None
) -> dict[str, Plain]:
    """The fields of the configuration that a stage reads, under their dotted names."""
    evaluate = _mapping(plain["evaluate"])
    margins: dict[str, Plain] = {name: evaluate.get(name) for name in ("margin", "gap_margin")}
    if kind == "data":
        return {"data": plain["data"]}
    if kind == "train":
        assert training is not None
        model = dict(_mapping(plain["model"]))
        model.pop("path")  # what counts is the content, which is an input
        train = dict(_mapping(plain["train"]))
        for name in ("compare_with", "seeds"):
            train.pop(name)
        train["objective"] = training.objective.model_dump(mode="json", by_alias=True)
        return {"train": {**train, **training.overrides, "seed": training.seed}, "model": model}
    if kind == "compare":
        return {"evaluate": margins}
    report = dict(_mapping(plain["report"]))
    if report["title"] is None:
        report["title"] = _mapping(plain["run"])["name"]
    return {"evaluate": margins, "report": report}


def _mapping(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, dict) else {}
