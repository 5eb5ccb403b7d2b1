"""Any task of lm-evaluation-harness, asked and counted by this package.

``lm_eval_NAME`` is the harness's own task NAME (``lm_eval_arithmetic_1dc``); ``lm_eval`` with
``--data TASK.yaml`` is a definition of one's own. The harness writes the prompts and scores each
document; the model is asked through any back end of this package, the answers are kept under a key
made of the weights, and every metric has its interval. Needs ``debias-eval[lm-eval]``.

Differences from the harness's own runs: whether a continuation is what greedy decoding would write
is found by decoding it and comparing the texts; a document longer than the model's context is
counted as ``too_long``, where the harness cuts its beginning off.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from debias_eval import statistics  # lazy: its parts load on first use
from debias_eval.adapters.lm_harness import (
    Call,
    Document,
    HarnessTask,
    builtin_definition,
    harness_version,
    open_task,
)
from debias_eval.backends.base import GenerationRequest
from debias_eval.errors import InputError
from debias_eval.protocol import Protocol
from debias_eval.results import Metrics
from debias_eval.tasks.base import Batch, Item, Task, TaskInfo
from debias_eval.tasks.generation import finite_interval
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.adapters.lm_harness import Reply
    from debias_eval.backends.base import Likelihood
    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings, Session

__all__ = ["LmEval"]

_ITEMS_AT_A_TIME = 32
_MAX_RESAMPLES = 1_000  # of scores that are no means: the harness's function is called for each
_MEANT = "default"


@tasks.register("lm_eval")
@dataclass
class LmEval(Task):
    """A benchmark of lm-evaluation-harness.

    Attributes:
        task: Its name there; empty for the one that a definition file holds.
    """

    task: str = ""
    _opened: dict[str, HarnessTask] = field(default_factory=dict)

    info: ClassVar[TaskInfo] = TaskInfo(
        name="lm_eval",
        kind="quality",
        metric="the first metric of the task",
        higher_is_better=True,
        summary="any task of lm-evaluation-harness, as lm_eval_NAME or --data TASK.yaml",
        data=("lm_eval/task.yaml",),
        source="a task definition; lm_eval_NAME takes one of the harness's own",
    )
    responses_file: ClassVar[str] = "responses.jsonl"

    def __post_init__(self) -> None:
        if self.task:
            # an instance's own: what it is called and scored by is only known by its name
            self.info = replace(type(self).info, name=f"lm_eval_{self.task}")  # type: ignore[misc]

    @classmethod
    def variant(cls, suffix: str) -> LmEval | None:
        """Return the harness's own task of that name; whether there is one is seen on loading."""
        return cls(suffix)

    def protocol(self) -> Protocol:
        """Return the harness's prompts as they are; ``extraction`` may name another metric."""
        return Protocol(max_new_tokens=256)

    def default_data(self) -> Path | None:
        """Return the definition that the harness carries."""
        return builtin_definition(self.task) if self.task else None

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return the documents with their calls, in the data's order."""
        harness = self._harness(str(path.resolve()))
        self._metric(harness, protocol)
        return [
            Item(
                f"{harness.name}/{document.number}",
                str(document.calls[0].arguments[0]),
                {
                    "document": document.content,
                    "calls": [[call.kind, *call.arguments] for call in document.calls],
                    "repeats": harness.repeats,
                    "needs_greedy": harness.needs_greedy,
                    "definition": str(path.resolve()),
                },
            )
            for document in harness.documents()
        ]

    def _harness(self, definition: str) -> HarnessTask:
        from pathlib import Path  # noqa: PLC0415 - a type elsewhere

        if definition not in self._opened:
            self._opened[definition] = open_task(Path(definition), self.task)
        return self._opened[definition]

    def _metric(self, harness: HarnessTask, protocol: Protocol) -> str:
        """Return the headline metric: the first, or the one that ``extraction`` names."""
        asked = protocol.extraction
        name = harness.metrics[0] if asked == _MEANT else asked
        if name.partition(",")[0] not in harness.metrics:
            raise InputError(
                f"lm-eval task {harness.name}: no metric {name!r}, only {harness.metrics}"
            )
        better = harness.higher_is_better(name)
        self.info = replace(self.info, metric=name, higher_is_better=better)  # type: ignore[misc]
        return name

    def ask(self, items: Sequence[Item], session: Session) -> list[Row]:
        """Return one row an item: ``replies`` [calls][repeats], null where a text is too long."""
        keys = [session.key(item, "calls") for item in items]
        batches = []
        for start in range(0, len(items), _ITEMS_AT_A_TIME):
            chunk = slice(start, start + _ITEMS_AT_A_TIME)
            batches.append(Batch(tuple(keys[chunk]), partial(_replies, items[chunk], session)))
        rows = session.collect(batches)
        return [rows[key] for key in keys]

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the harness's metrics of every document."""
        by_id = {item.id: item for item in items}
        fitting = [row for row in responses if _fits(row)]
        verdicts: dict[str, Row] = {}
        if fitting:
            harness = self._harness(items[0].text("definition"))
            headline = self._metric(harness, protocol)
            asked = [_document(by_id[str(row["id"])]) for row in fitting]
            scores = harness.score(asked, [_as_said(row) for row in fitting])
            for number, (row, found) in enumerate(zip(fitting, scores, strict=True), start=1):
                status = _status(_of(found, headline))
                verdicts[str(row["id"])] = {"status": status, "metrics": found}
                if settings.on_graded is not None:
                    settings.on_graded(number)
        too_long: Row = {"status": "too_long", "metrics": None}
        return [
            {"id": row["id"], "sample": 0, **verdicts.get(str(row["id"]), too_long)}
            for row in responses
        ]

    def summarise(
        self,
        items: Sequence[Item],
        verdicts: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> Metrics:
        """Return the headline metric; every metric with its interval stands in the details."""
        counts = dict(sorted(Counter(str(row["status"]) for row in verdicts).items()))
        scored = [row for row in verdicts if row["metrics"] is not None]
        if not scored:
            return Metrics(score=None, interval=None, n=0, k=0, counts=counts, details={})
        harness = self._harness(items[0].text("definition"))
        headline = self._metric(harness, protocol)
        found = [cast("dict[str, object]", row["metrics"]) for row in scored]
        metrics = {
            name: _estimate(harness, name, [row[name] for row in found], settings)
            for name in found[0]
        }
        first = metrics[_name_of(found[0], headline)]
        values = [_of(row, headline) for row in found]
        return Metrics(
            score=first.score,
            interval=first.interval,
            n=len(scored),
            k=sum(value == 1.0 for value in values) if _are_shares(values) else 0,
            counts=counts,
            details={
                "lm_eval_task": harness.name,
                "lm_eval_task_version": harness.version,
                "lm_eval_version": harness_version(),
                "metrics": {
                    name: {
                        "value": estimate.score,
                        "interval": estimate.interval,
                        "higher_is_better": harness.higher_is_better(name),
                    }
                    for name, estimate in metrics.items()
                },
            },
        )


@dataclass(frozen=True, slots=True)
class _Estimate:
    score: float
    interval: tuple[float, float] | None


def _estimate(
    harness: HarnessTask, name: str, values: Sequence[object], settings: GradeSettings
) -> _Estimate:
    """Return a metric's score and interval over documents."""
    if harness.is_mean(name) and _are_shares(values):
        k = sum(value == 1.0 for value in values)
        bounds = statistics.wilson_interval(k, len(values))
        return _Estimate(k / len(values), (float(bounds.low), float(bounds.high)))
    if harness.is_mean(name) and all(isinstance(value, float) for value in values):
        found = statistics.cluster_bootstrap(
            cast("list[float]", values), None, resamples=settings.resamples
        )
    else:
        # rows are drawn by number, since one document's value may be several numbers
        found = statistics.cluster_bootstrap(
            [float(number) for number in range(len(values))],
            statistic=lambda drawn: harness.aggregate(name, [values[int(i)] for i in drawn]),
            resamples=min(settings.resamples, _MAX_RESAMPLES),
        )
    return _Estimate(float(found.value), finite_interval(found.low, found.high))


def _are_shares(values: Sequence[object]) -> bool:
    return all(value in (0.0, 1.0) for value in values)


def _status(value: object) -> str:
    if value not in (0.0, 1.0):
        return "scored"
    return "correct" if value == 1.0 else "incorrect"


def _name_of(found: Mapping[str, object], headline: str) -> str:
    """Return the metric's name with its filter, where the harness gave it one."""
    if headline in found:
        return headline
    return next(name for name in found if name.partition(",")[0] == headline)


def _of(found: Mapping[str, object], headline: str) -> object:
    return found[_name_of(found, headline)]


def _document(item: Item) -> Document:
    calls = cast("list[list[object]]", item.fields["calls"])
    number = int(item.id.rpartition("/")[2])
    content = cast("Row", item.fields["document"])
    return Document(number, content, tuple(Call(str(c[0]), tuple(c[1:])) for c in calls))


def _fits(row: Row) -> bool:
    replies = cast("list[list[object]]", row["replies"])
    return all(reply is not None for call in replies for reply in call)


def _as_said(row: Row) -> list[list[Reply]]:
    """Return the replies as the harness takes them: JSON has no tuples."""
    replies = cast("list[list[Reply | list[object]]]", row["replies"])
    return [
        [cast("Reply", tuple(said)) if isinstance(said, list) else said for said in call]
        for call in replies
    ]


def _replies(items: Sequence[Item], session: Session) -> list[Row]:
    """Ask everything about some documents; calls of one kind go to the back end together."""
    places: dict[str, list[tuple[int, int]]] = {}
    calls = [_document(item).calls for item in items]
    replies: list[list[list[object]]] = [[[] for _ in group] for group in calls]
    for row, group in enumerate(calls):
        for column, call in enumerate(group):
            places.setdefault(call.kind, []).append((row, column))
    for kind, found in places.items():
        asked = [(items[row], calls[row][column].arguments) for row, column in found]
        answer = _ANSWERS.get(kind)
        if answer is None:
            raise InputError(
                f"{items[0].id}: lm-evaluation-harness asks for {kind!r}, unknown here"
            )
        for (row, column), said in zip(found, answer(asked, session), strict=True):
            replies[row][column] = said
    return [
        {"id": item.id, "sample": 0, "replies": said}
        for item, said in zip(items, replies, strict=True)
    ]


_Asked = tuple[Item, tuple[object, ...]]


def _rolling(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    found = session.backend.loglikelihood([("", str(arguments[0])) for _, arguments in asked])
    return [[None if score is None else score.logprob] for score in found]


def _likelihoods(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    pairs = []
    for _, (context, continuation, *_) in asked:
        prompt = session.backend.render(session.protocol, str(context))
        text = str(continuation)
        # an answer begins where a chat template ends: the space between words is plain text's
        pairs.append((prompt.text, text.lstrip() if session.protocol.chat_template else text))
    scores = session.backend.loglikelihood(pairs)
    written = _greedy_texts(asked, scores, session)
    return [
        [None if score is None else [score.logprob, written.get(index) == pair[1].strip()]]
        for index, (score, pair) in enumerate(zip(scores, pairs, strict=True))
    ]


def _greedy_texts(
    asked: Sequence[_Asked], scores: Sequence[Likelihood | None], session: Session
) -> dict[int, str]:
    """Return what the model writes by itself, as long as what was scored, where that is needed."""
    requests = {
        index: GenerationRequest(
            key=f"{item.id}#greedy",
            prompt=session.backend.render(session.protocol, str(arguments[0])),
            max_new_tokens=max(score.num_tokens, 1),
        )
        for index, ((item, arguments), score) in enumerate(zip(asked, scores, strict=True))
        if score is not None and item.fields["needs_greedy"]
    }
    texts = _generate(list(requests.values()), session)
    return {index: text.strip() for index, text in zip(requests, texts, strict=True)}


def _texts(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    requests, owners = [], []
    for index, (item, (context, *options)) in enumerate(asked):
        chosen = cast("Mapping[str, object]", options[0] if options else {})
        for sample in range(cast("int", item.fields["repeats"])):
            requests.append(_request(f"{item.id}#{sample}", str(context), chosen, session))
            owners.append(index)
    replies: list[list[object]] = [[] for _ in asked]
    for index, text in zip(owners, _generate(requests, session), strict=True):
        replies[index].append(text)
    return replies


def _request(
    key: str, context: str, options: Mapping[str, object], session: Session
) -> GenerationRequest:
    protocol = session.protocol
    until = options.get("until") or []
    stops = [until] if isinstance(until, str) else cast("list[str]", until)
    temperature = float(cast("float", options.get("temperature") or 0.0))
    return GenerationRequest(
        key=key,
        prompt=session.backend.render(protocol, context),
        max_new_tokens=int(cast("int", options.get("max_gen_toks") or protocol.max_new_tokens)),
        stop=tuple(stop for stop in (*stops, *protocol.stop) if stop),
        temperature=temperature if options.get("do_sample") else 0.0,
        top_p=float(cast("float", options.get("top_p") or 1.0)),
        seed=protocol.sampling.seed,
    )


def _generate(requests: Sequence[GenerationRequest], session: Session) -> list[str]:
    texts = [""] * len(requests)
    for batch in session.backend.batches(requests) if requests else []:
        answers = session.backend.generate([requests[index] for index in batch])
        for index, answer in zip(batch, answers, strict=True):
            texts[index] = answer.text
    return texts


_ANSWERS = {
    "loglikelihood": _likelihoods,
    "loglikelihood_rolling": _rolling,
    "generate_until": _texts,
}
