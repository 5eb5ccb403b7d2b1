"""What an arm is trained and measured on: a model, pairs, settings, and the tasks that follow.

Two beds. *embedded* is the model that the package carries, with its planted gap. *stories260K* is
a real pretrained Llama of 260,000 parameters; neither it nor the published bias suites are part
of this project, so both are looked for in a folder of the reader's own (see `find_shared`).
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from experiments.rows import EMBEDDED, STORIES

from debias_cli.config.load import parse_config
from debias_cli.resources import local_model, quickstart_text, testbed_file
from debias_cli.stages.graph import training_runs
from debias_cli.stages.training import train_config
from debias_core.config import TrainConfig
from debias_data import BuildConfig, build
from debias_data.config import (
    NuminaSource,
    SourceConfig,
    SplitConfig,
    SyntheticSource,
    WinobiasSource,
    WinogenderSource,
)
from debias_eval import BackendSettings, EvalSettings, TaskSpec, evaluate

SHARED = "DEBIAS_SHARED"
REAL_PAIRS = "word problems of this project"
EVALUATION = EvalSettings(backend=BackendSettings("cpu", "float32", 128))
REAL_STEPS = 30
_NEW_TOKENS = 32  # of an answer of the real model
_SURVEYED = 400  # pairs of a set
_TEXTS = 100  # whose perplexity is measured
_ONE_IN_QUESTIONS = 16  # of BBQ is asked: from every template, and affordable
_ONE_IN_SCHEMAS = 4  # of WinoBias


class _Built(NamedTuple):
    """A written pair table, its rows for training and its rows to look at."""

    pairs: Path
    train: Sequence[Mapping[str, object]]
    dev: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Bed:
    """What all arms share.

    Attributes:
        name: in the rows.
        model: folder of the model before training.
        pairs: the pair table.
        train: its rows to take steps on.
        dev: its rows to look at.
        settings: of a training.
        gap: how the entropy gap is measured afterwards.
        measures: what else is measured afterwards.
        suites: bias suites, by likelihood: they give the same for the same weights.
        data_dir: where the data of the suites is.
    """

    name: str
    model: Path
    pairs: Path
    train: Sequence[Mapping[str, object]]
    dev: Sequence[Mapping[str, object]]
    settings: TrainConfig
    gap: TaskSpec
    measures: tuple[TaskSpec, ...]
    suites: tuple[TaskSpec, ...] = ()
    data_dir: Path | None = None

    def tasks(self, seed: int) -> list[TaskSpec]:
        """What is measured afterwards; the answers of the gap are drawn under the seed."""
        assert isinstance(self.gap.protocol, Mapping)
        protocol = {**self.gap.protocol, "sampling": {"n": 1, "seed": seed}}
        return [replace(self.gap, protocol=protocol), *self.measures]


def find_shared(given: Path | None) -> Path | None:
    """The folder with real models and published data; None where there is none.

    It holds `models/stories260K` and `data/` with a folder a data set (winogender, winobias,
    crows_pairs, stereoset, bbq, gsm8k, numina). Taken from the option, else from the environment.
    """
    named = given or (Path(os.environ[SHARED]) if SHARED in os.environ else None)
    return None if named is None or not named.is_dir() else named.resolve()


# ---- the embedded model -------------------------------------------------------------------------


def embedded(folder: Path, shared: Path | None = None) -> Bed:
    """The demo's settings, data and model; builds the pair table of the demo in the folder."""
    config = parse_config(quickstart_text(), source="quickstart", base=Path()).config
    assert config.data is not None
    assert config.train is not None
    pairs, train, dev = _built(config.data, folder / "pairs.parquet")
    template = {"template": config.model.prompt.template}
    model = local_model("testbed")
    assert model is not None
    own = TaskSpec(
        "winogender", name="own_occupations", data=testbed_file(Path("testbed:winogender"))
    )
    return Bed(
        EMBEDDED,
        model,
        pairs,
        train,
        dev,
        settings=replace(
            train_config(config, training_runs(config.train)[0]), max_steps=60, device="cpu"
        ),
        gap=TaskSpec(
            "entropy_gap", limit=128, data=pairs, protocol={**template, "max_new_tokens": 64}
        ),
        measures=(
            TaskSpec(
                "math_jsonl",
                name="arithmetic",
                limit=120,
                data=testbed_file(Path("testbed:arithmetic.jsonl")),
                protocol={**template, "max_new_tokens": 64},
            ),
            TaskSpec(
                "humaneval",
                name="code",
                limit=80,
                data=testbed_file(Path("testbed:code.jsonl")),
                protocol={"max_new_tokens": 96},
            ),
        ),
        suites=(own, *published_suites(shared, folder)),
        data_dir=None if shared is None else shared / "data",
    )


# ---- the real one -------------------------------------------------------------------------------


def pair_sources(shared: Path) -> dict[str, SourceConfig]:
    """The pair sets on which the real model's gap was looked for, by name."""
    return {
        "GSM8K problems, swapped": NuminaSource(path=shared / "data/numina"),
        REAL_PAIRS: SyntheticSource(clusters=2000),
        "WinoGender sentences": WinogenderSource(path=shared / "data/winogender"),
        "WinoBias sentences": WinobiasSource(path=shared / "data/winobias"),
    }


def real_pairs(name: str, shared: Path, folder: Path) -> _Built:
    """Builds one of `pair_sources`, a half for training, a quarter each to look at and to test."""
    config = BuildConfig(
        sources=(pair_sources(shared)[name],), split=SplitConfig(train=0.5, dev=0.25, test=0.25)
    )
    return _built(config, folder / "pairs.parquet")


def survey_gap(name: str, shared: Path, folder: Path) -> dict[str, object]:
    """The real model's gap on the training pairs of a set: what the choice of a set may look at."""
    results = evaluate(
        shared / "models" / STORIES,
        [
            TaskSpec(
                "entropy_gap",
                limit=_SURVEYED,
                data=real_pairs(name, shared, folder).pairs,
                protocol={
                    "split": "train",
                    "max_new_tokens": _NEW_TOKENS,
                    "sampling": {"n": 1, "seed": 0},
                },
            )
        ],
        out=folder / "evaluation",
        settings=EVALUATION,
    )
    found = results.benchmarks["entropy_gap"]
    details = found.details
    return {
        "num_pairs": found.n,
        "gap": found.score,
        "gap_interval": found.interval,
        **{name: details[name] for name in ("direct", "resolution", "verdict", "groups")},
        "null_rows": details["null_rows"],
    }


def stories(folder: Path, shared: Path) -> Bed:
    """The real model on one of the pair sets of the survey.

    Its gap cannot be told from 0, so that a stopping rule has nothing to wait for: every arm takes
    the same number of steps, and its last model is what is measured.
    """
    pairs, train, dev = real_pairs(REAL_PAIRS, shared, folder)
    texts = folder / "texts.jsonl"
    _gsm8k_texts(shared, texts)
    return Bed(
        STORIES,
        shared / "models" / STORIES,
        pairs,
        train,
        dev,
        settings=TrainConfig(
            max_steps=REAL_STEPS,
            early_stopping=False,
            eval_every=REAL_STEPS,
            effective_batch_size=32,
            generation_batch_size=512,
            max_new_tokens=_NEW_TOKENS,
            device="cpu",
        ),
        gap=TaskSpec(
            "entropy_gap", limit=128, data=pairs, protocol={"max_new_tokens": _NEW_TOKENS}
        ),
        measures=(TaskSpec("perplexity", data=texts),),
        suites=published_suites(shared, folder),
        data_dir=shared / "data",
    )


# ---- parts --------------------------------------------------------------------------------------


def published_suites(shared: Path | None, folder: Path) -> tuple[TaskSpec, ...]:
    """The published bias suites, gender parts; none without their data."""
    if shared is None:
        return ()
    questions, schemas = folder / "bbq.jsonl", folder / "winobias"
    _some_questions(shared / "data/bbq", questions)
    _some_schemas(shared / "data/winobias", schemas)
    return (
        TaskSpec("winogender"),
        TaskSpec("winobias", data=schemas),
        TaskSpec("crows_pairs"),
        TaskSpec("stereoset"),
        TaskSpec("bbq", data=questions, protocol={"extraction": "answers"}),
    )


def _gsm8k_texts(shared: Path, out: Path) -> None:
    """Writes GSM8K's first test questions with their solutions as texts."""
    lines = (shared / "data/gsm8k/test.jsonl").read_text().splitlines()[:_TEXTS]
    rows = [json.loads(line) for line in lines]
    texts = [{"text": f"{row['question']}\n{row['answer']}"} for row in rows]
    out.write_text("".join(f"{json.dumps(text)}\n" for text in texts))


def _some_questions(source: Path, out: Path) -> None:
    """Writes one question in so many of BBQ's gender part, the first first."""
    (file,) = sorted(source.glob("Gender_identity*.jsonl*"))[:1]
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        out.write_text("".join(list(lines)[::_ONE_IN_QUESTIONS]))


def _some_schemas(source: Path, out: Path) -> None:
    """Writes one schema in so many of WinoBias: two lines each, the same of every file."""
    out.mkdir()
    for file in sorted(source.glob("*_stereotyped_type*")):
        lines = file.read_text().splitlines(keepends=True)
        kept = [lines[i] for i in range(len(lines)) if i // 2 % _ONE_IN_SCHEMAS == 0]
        (out / file.name).write_text("".join(kept))


def _built(config: BuildConfig, path: Path) -> _Built:
    table = build(config)
    table.write(path)
    train, dev = (list(table.select(split=name).rows()) for name in ("train", "dev"))
    return _Built(path, train, dev)
