"""The one call: a model, some tasks, a folder with the results.

``grade`` and ``regrade`` are the same pipeline entered further down: with completions from a file,
and with the responses of a run that is there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from debias_eval.backends.base import BackendSettings
from debias_eval.backends.recorded import RecordedBackend
from debias_eval.backends.registry import open_backend
from debias_eval.data_dir import resolve_data_dir
from debias_eval.errors import InputError, MissingError
from debias_eval.files import folder_lock
from debias_eval.jsonl import read_rows, write_rows
from debias_eval.preparing import TaskSpec, check_names, prepare
from debias_eval.progress import silent
from debias_eval.protocol import Protocol, Sampling
from debias_eval.results import BenchmarkResult, Metrics, ModelInfo, Results, load_results
from debias_eval.stages import (
    ITEMS,
    Benchmark,
    ask_stage,
    grade_stage,
    metrics_stage,
    read_items,
)
from debias_eval.tasks.base import GradeSettings, Item
from debias_eval.tasks.generation import GenerationTask

if TYPE_CHECKING:
    from debias_eval.backends.base import Backend
    from debias_eval.progress import Progress

__all__ = ["EvalSettings", "evaluate", "grade", "regrade"]

_VERSIONED = ("debias-eval", "torch", "transformers", "tokenizers", "math-verify", "numpy")


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """How a run is carried out; none of it should change a score.

    Attributes:
        backend: Device, dtype and batch size.
        grade: Isolation, workers, bootstrap resamples.
        progress: Who is told how far the run is.
    """

    backend: BackendSettings = field(default_factory=BackendSettings)
    grade: GradeSettings = field(default_factory=GradeSettings)
    progress: Progress = silent


def evaluate(  # noqa: PLR0913 - the signature that other people's scripts rely on
    model: str | Path,
    tasks: Sequence[str | TaskSpec],
    *,
    out: str | Path,
    backend: str | Backend = "transformers",
    protocol: str | Mapping[str, object] | None = None,
    limit: int | None = None,
    data_dir: str | Path | None = None,
    settings: EvalSettings | None = None,
) -> Results:
    """Return the scores of ``model`` on ``tasks``; everything behind them is in ``out``.

    A run that was interrupted goes on where it stopped; one that is complete is not repeated.

    Args:
        model: A folder in the hub's layout (or a hub name).
        tasks: Names, or ``TaskSpec`` where more is to be said.
        out: Folder for ``results.json`` and one folder a benchmark.
        backend: Name of a back end, or one that is open already.
        protocol: Profile or changes for every task; those of a ``TaskSpec`` come on top.
        limit: Only the first so many items of every task.
        data_dir: Folder with the published data; else ``$DEBIAS_DATA_DIR``.
        settings: Device, isolation, progress.

    Raises:
        InputError: A task, a protocol or a data file is wrong. Found before the model is loaded.
        MissingError: A file or a package is not there; the message says where to put it.
        ModelError: The model is refused.
    """
    settings = settings or EvalSettings()
    folder = Path(out)
    specs = [task if isinstance(task, TaskSpec) else TaskSpec(task) for task in tasks]
    specs = [replace(spec, limit=limit if spec.limit is None else spec.limit) for spec in specs]
    check_names(specs)
    root = resolve_data_dir(data_dir)
    prepared = [prepare(spec, folder, root, protocol) for spec in specs]
    for benchmark, _ in prepared:
        benchmark.task.warm_up()
    runner = open_backend(backend, model, settings.backend) if isinstance(backend, str) else backend
    with folder_lock(folder):
        metrics = {
            benchmark.name: (benchmark, _run(benchmark, items, runner, settings))
            for benchmark, items in prepared
        }
        return _save(folder, runner.name, _model_info(runner), metrics)


def grade(  # noqa: PLR0913 - one argument each for what can be given on the command line
    task: str,
    completions: str | Path,
    *,
    out: str | Path,
    data: str | Path | None = None,
    protocol: str | Mapping[str, object] | None = None,
    limit: int | None = None,
    data_dir: str | Path | None = None,
    settings: EvalSettings | None = None,
) -> Results:
    """Return the score of recorded completions ``{task_id | id, completion}``; no model is needed.

    Several rows an id are several samples. Every item of the data has to be there: a file that
    leaves items out would leave the denominator too. ``limit`` grades the first items only.

    Raises:
        InputError: The task has no free answers, an id is unknown, or an item has no completion.
    """
    settings = settings or EvalSettings()
    folder = Path(out)
    spec = TaskSpec(task, data=data, limit=limit)
    root = resolve_data_dir(data_dir)
    benchmark, items = prepare(spec, folder, root, protocol)
    if not isinstance(benchmark.task, GenerationTask):
        raise InputError(f"{task}: is scored by likelihood; there are no completions to grade")
    recorded = RecordedBackend(Path(completions))
    if benchmark.protocol.split is not None and not _covers(items, recorded):
        # Completions for more than the default split: the file says which items were asked.
        whole = replace(spec, protocol={"split": "all"})
        benchmark, items = prepare(whole, folder, root, protocol)
    benchmark = replace(benchmark, protocol=_for_recorded(benchmark, items, recorded, limit))
    with folder_lock(folder):
        metrics = {benchmark.name: (benchmark, _run(benchmark, items, recorded, settings))}
        return _save(folder, recorded.name, _model_info(recorded), metrics)


def regrade(folder: str | Path, *, settings: EvalSettings | None = None) -> Results:
    """Grade the responses of a finished run again and return the new results; nothing is generated.

    Raises:
        MissingError: The folder holds no finished run.
    """
    settings = settings or EvalSettings()
    root = Path(folder)
    before = load_results(root)
    metrics = {}
    with folder_lock(root):
        for name in before.benchmarks:
            benchmark = Benchmark.read(root / name)
            items = read_items(benchmark.folder)
            path = benchmark.folder / benchmark.task.responses_file
            responses = [row for _, row in read_rows(path)]
            verdicts = grade_stage(benchmark, items, responses, settings.grade, settings.progress)
            metrics[name] = (benchmark, metrics_stage(benchmark, items, verdicts, settings.grade))
        return _save(root, before.backend, before.model, metrics, merge=False)


def _covers(items: Sequence[Item], recorded: RecordedBackend) -> bool:
    return set(recorded.completions) <= {item.id for item in items}


def _for_recorded(
    benchmark: Benchmark, items: Sequence[Item], recorded: RecordedBackend, limit: int | None
) -> Protocol:
    """Return the protocol of recorded completions: as many samples as the file has, unsampled."""
    found = recorded.completions
    known = {item.id for item in items}
    if limit is None:
        unknown = sorted(set(found) - known)
        if unknown:
            raise InputError(f"completions for {len(unknown)} unknown ids, first {unknown[0]!r}")
    lacking = [item.id for item in items if item.id not in found]
    if lacking:
        raise InputError(
            f"{len(lacking)} of {len(items)} items have no completion, first {lacking[0]!r}; "
            "an empty completion is a row with an empty string"
        )
    numbers = {len(found[item.id]) for item in items}
    if len(numbers) > 1:
        raise InputError(
            f"items have between {min(numbers)} and {max(numbers)} completions; give each as many"
        )
    n = numbers.pop()
    if all(len(set(found[item.id])) == 1 for item in items):
        n = 1  # copies of one answer are one sample
    # How they were sampled is not known; temperature 1 only says that n may exceed 1.
    return replace(
        benchmark.protocol, sampling=Sampling(n=n, temperature=0.0 if n == 1 else 1.0), stop=()
    )


def _run(
    benchmark: Benchmark, items: Sequence[Item], backend: Backend, settings: EvalSettings
) -> Metrics:
    write_rows(benchmark.folder / ITEMS, [item.row() for item in items])
    benchmark.describe()
    responses = ask_stage(benchmark, items, backend, settings.progress)
    verdicts = grade_stage(benchmark, items, responses, settings.grade, settings.progress)
    return metrics_stage(benchmark, items, verdicts, settings.grade)


def _model_info(backend: Backend) -> ModelInfo:
    identity = backend.identity()
    return ModelInfo(identity.path, identity.weights_sha256, identity.tokenizer_sha256)


def _result(benchmark: Benchmark, metrics: Metrics) -> BenchmarkResult:
    info, protocol = benchmark.task.info, benchmark.protocol
    return BenchmarkResult(
        score=metrics.score,
        interval=metrics.interval,
        n=metrics.n,
        k=metrics.k,
        metric=info.metric,
        kind=info.kind,
        higher_is_better=info.higher_is_better,
        protocol=protocol.to_dict(),
        protocol_hash=protocol.hash,
        data_sha256=protocol.data_sha256,
        counts=metrics.counts,
        details={"task": info.name, **metrics.details},
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _save(
    folder: Path,
    backend: str,
    model: ModelInfo,
    metrics: Mapping[str, tuple[Benchmark, Metrics]],
    *,
    merge: bool = True,
) -> Results:
    """Write and return the results; benchmarks of the same model that are there already stay."""
    benchmarks = {name: _result(*pair) for name, pair in metrics.items()}
    if merge:
        try:
            before = load_results(folder)
        except MissingError:
            before = None
        if before is not None and before.model == model and before.backend == backend:
            benchmarks = dict(before.benchmarks) | benchmarks
    Results(model, backend, _versions(), benchmarks).save(folder)
    return load_results(folder)  # what the caller gets is what the file says
