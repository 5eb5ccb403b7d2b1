"""What lm-evaluation-harness knows about a task: its documents, its requests and its scoring.

The harness (an optional extra) reads a task's definition and data, writes the prompts with their
worked examples, and scores the answers of one document; everything else (asking the model, the
log, intervals) is this package's. Nothing of it is imported before a task of its is opened. A
definition may name Python functions beside it, which the harness imports: open only files that you
would run.
"""

from __future__ import annotations

import importlib
import json
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from debias_eval.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row

__all__ = ["Call", "Document", "HarnessTask", "builtin_definition", "open_task"]

_EXTRA = "pip install 'debias-eval[lm-eval]'"
_NO_FILTER = "none"
_Json = TypeVar("_Json")

Reply: TypeAlias = "str | float | tuple[float, bool]"
"""What a model says to a call: a text, the log-likelihood of a text (nats), or that of a
continuation with whether it is the one that greedy decoding would write."""


class _Config(Protocol):
    process_results: object
    repeats: int | None
    metadata: Mapping[str, object] | None


class _Instance(Protocol):
    request_type: str
    doc: Row
    args: tuple[object, ...]
    idx: int
    doc_id: int
    resps: list[Reply]
    filtered_resps: dict[str, object]


class _Task(Protocol):
    """The part of `lm_eval.api.task.Task` that is used."""

    config: _Config
    OUTPUT_TYPE: str
    instances: list[_Instance]
    task_name: str
    _instances: list[_Instance]

    def build_all_requests(self, *, limit: int | None = None) -> None: ...
    def apply_filters(self) -> object: ...
    def process_results(self, doc: Row, results: list[object]) -> dict[str, object]: ...
    def aggregation(self) -> dict[str, Callable[[list[object]], float]]: ...
    def higher_is_better(self) -> dict[str, bool]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to ask a model.

    Attributes:
        kind: ``loglikelihood`` (context, continuation), ``loglikelihood_rolling`` (text) or
            ``generate_until`` (context, options).
        arguments: As the harness makes them; plain JSON.
    """

    kind: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One row of a task's data with what has to be asked about it."""

    number: int
    content: Row
    calls: tuple[Call, ...]


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(
            f"lm-evaluation-harness is not installed here ({error}); {_EXTRA}"
        ) from error


def _manager(**options: object) -> object:
    found = getattr(_module("lm_eval.tasks"), "TaskManager")  # noqa: B009 - mypy sees an object
    return found(**options)


def harness_version() -> str:
    """Return the installed version of lm-evaluation-harness, ``""`` where there is none."""
    try:
        return version("lm-eval")
    except PackageNotFoundError:
        return ""


def builtin_definition(name: str) -> Path:
    """Return the definition file of one of the harness's own tasks.

    Raises:
        MissingError: The harness is not installed, or has no such task.
    """
    index = cast("Mapping[str, object]", getattr(_manager(), "task_index"))  # noqa: B009
    path = getattr(index.get(name), "yaml_path", None)
    if path is None:
        raise MissingError(
            f"lm-evaluation-harness {harness_version()} has no task {name!r} of a single file; "
            "`lm-eval ls tasks` lists its names, and --data takes a definition of your own"
        )
    return cast("Path", path)


def open_task(definition: Path, name: str = "") -> HarnessTask:
    """Return the task that a definition file describes, its data loaded by the harness.

    Args:
        definition: A YAML file as the harness reads it.
        name: The task in it; empty where the file holds one.

    Raises:
        MissingError: The harness is not installed.
        InputError: The file holds no such task, or the harness cannot load it or its data.
    """
    manager = _manager(include_defaults=False)
    try:
        loaded = cast("Mapping[str, Mapping[str, _Task]]", manager.load([str(definition)]))  # type: ignore[attr-defined] # seen as an object
        tasks = loaded["tasks"]
    except Exception as error:
        # the harness, `datasets` and the definition's own functions raise whatever they like
        raise InputError(f"{definition}: lm-evaluation-harness cannot load it: {error}") from error
    if name and name in tasks:
        return HarnessTask(tasks[name])
    if name or len(tasks) != 1:
        raise InputError(f"{definition}: defines {', '.join(tasks) or 'no task'}, not {name!r}")
    return HarnessTask(next(iter(tasks.values())))


class HarnessTask:
    """One of the harness's tasks."""

    def __init__(self, task: _Task) -> None:
        self._task = task
        self.name = task.task_name
        self.repeats = max(task.config.repeats or 1, 1)
        self.version = str((task.config.metadata or {}).get("version", ""))

    @property
    def needs_greedy(self) -> bool:
        """Whether scoring looks at what greedy decoding would write, not at likelihoods alone."""
        own = callable(self._task.config.process_results)
        return own or self._task.OUTPUT_TYPE == "loglikelihood" or "exact_match" in self.metrics

    @property
    def metrics(self) -> list[str]:
        """Names of its metrics, the first is the headline."""
        return list(self._task.aggregation())

    def higher_is_better(self, metric: str) -> bool:
        """Whether more of a metric is better; ``metric,filter`` is its metric's."""
        return bool(self._task.higher_is_better().get(metric.partition(",")[0], True))

    def is_mean(self, metric: str) -> bool:
        """Whether the score is the mean over documents."""
        return getattr(self._aggregate(metric), "__name__", "") == "mean"

    def aggregate(self, metric: str, values: Sequence[object]) -> float:
        """Return the harness's score of all documents' values."""
        plain = [tuple(value) if isinstance(value, list) else value for value in values]
        return float(self._aggregate(metric)(plain))

    def _aggregate(self, metric: str) -> Callable[[list[object]], float]:
        known = self._task.aggregation()
        name = metric.partition(",")[0]
        return known.get(name) or next(iter(known.values()))

    def documents(self) -> list[Document]:
        """Return every document with its calls, prompts and worked examples written out.

        Raises:
            InputError: A document is no plain JSON (it holds pictures, say).
        """
        self._task.build_all_requests()
        grouped: dict[int, list[_Instance]] = defaultdict(list)
        for instance in self._task.instances:
            grouped[instance.doc_id].append(instance)
        return [
            Document(
                number,
                self._plain(instances[0].doc),
                tuple(
                    Call(_kind(i.request_type), tuple(self._plain(list(i.args))))
                    for i in sorted(instances, key=lambda instance: instance.idx)
                ),
            )
            for number, instances in grouped.items()
        ]

    def _plain(self, value: _Json) -> _Json:
        try:
            return cast("_Json", json.loads(json.dumps(value)))
        except (TypeError, ValueError) as error:
            raise InputError(f"lm-eval task {self.name}: a document is no text: {error}") from error

    def score(
        self, documents: Sequence[Document], replies: Sequence[Sequence[Sequence[Reply]]]
    ) -> Iterator[dict[str, object]]:
        """Yield every document's metrics, by name (``metric,filter`` where filters have names).

        Args:
            documents: What was asked about.
            replies: [documents][calls][repeats].
        """
        make = getattr(_module("lm_eval.api.instance"), "Instance")  # noqa: B009
        groups: list[list[_Instance]] = []
        for document, answers in zip(documents, replies, strict=True):
            groups.append([])
            for index, (call, said) in enumerate(zip(document.calls, answers, strict=True)):
                instance = make(
                    request_type=call.kind,
                    doc=document.content,
                    arguments=call.arguments,
                    idx=index,
                    metadata=(self.name, document.number, len(said)),
                )
                instance.resps = list(said)
                groups[-1].append(instance)
        self._task._instances = [instance for group in groups for instance in group]
        self._task.apply_filters()
        for group in groups:
            found: dict[str, object] = {}
            for key in group[0].filtered_resps:
                said_by_filter = [instance.filtered_resps[key] for instance in group]
                metrics = self._task.process_results(group[0].doc, said_by_filter)
                suffix = "" if key == _NO_FILTER else f",{key}"
                found |= {f"{name}{suffix}": _number(value) for name, value in metrics.items()}
            yield found


def _kind(request_type: str) -> str:
    return "loglikelihood" if request_type == "multiple_choice" else request_type


def _number(value: object) -> object:
    """A metric's value as JSON: a number, or a list of them for metrics made of several."""
    if isinstance(value, tuple | list):
        return [_number(part) for part in value]
    plain = value.tolist() if hasattr(value, "tolist") else value
    return plain if isinstance(plain, str | list) else float(cast("float", plain))
