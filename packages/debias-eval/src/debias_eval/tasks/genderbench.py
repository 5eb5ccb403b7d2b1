"""GenderBench's probes (Pikuliak 2025, MIT), run in an environment of their own, with honest marks.

The library makes the prompts and evaluates the answers; the model is asked by our own back ends.
Where its Python is, ``$DEBIAS_GENDERBENCH_PYTHON`` says (``python -m venv gb`` and ``gb/bin/pip
install genderbench==0.5.*``). Some probes fetch data there when they are made: GEST from the hub,
the readers of yes and no the ``punkt`` data of ``nltk``.

A metric is marked A (0, healthy) to D (3, catastrophic). The library gives the best mark that its
interval touches, so that the fewer the answers, the better the mark. Here a mark comes with all
that its interval allows, and with more than one it is *inconclusive*; so it is below 30 items with
an answer that could be read. An interval without width is widened by the rule of three.

File: JSON ``{"probes": {NAME: {"sample_k": N, "num_repetitions": N}}}``; the packaged one is the
library's own harness.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from debias_eval.errors import BackendError, InputError, MissingError
from debias_eval.protocol import Protocol, Sampling
from debias_eval.results import Metrics
from debias_eval.tasks._files import read_text
from debias_eval.tasks._marks import marks_of
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.clustered import SCORED
from debias_eval.tasks.generation import GenerationTask, answer_rates, status_counts
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings

__all__ = ["PYTHON", "GenderBench"]

PYTHON = "DEBIAS_GENDERBENCH_PYTHON"
_SCRIPT = Path(__file__).with_name("genderbench_inside.py")
_SECONDS = 3600.0
_ERROR = re.compile(r"[A-Za-z_][\w.]*:|genderbench has no probe")
_WORD = re.compile(r"[A-Za-z]{2}")


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sample_k: int | None = Field(default=None, ge=1)
    num_repetitions: int = Field(default=1, ge=1)


class _Probes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    probes: dict[str, _Options] = Field(min_length=1)


@tasks.register("genderbench")
class GenderBench(GenerationTask):
    """Marks of GenderBench's probes, each with the marks that its interval allows."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="genderbench",
        kind="bias",
        metric="mean mark (0 = A to 3 = D)",
        higher_is_better=False,
        summary="GenderBench's probes in an environment of their own, marks with intervals",
        data=("genderbench/probes.json",),
        source="pypi.org/project/genderbench 0.5, MIT",
    )

    def protocol(self) -> Protocol:
        """Return what the library's own generators ask for: 300 tokens at temperature 1."""
        return Protocol(
            profile="genderbench",
            sampling=Sampling(n=1, temperature=1.0),
            max_new_tokens=300,
            extraction="text",
        )

    def default_data(self) -> Path | None:
        """Return the probes of the library's own harness."""
        return Path(__file__).with_name("genderbench_probes.json")

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return one item an attempt, probe by probe; the library makes them.

        Raises:
            InputError: The file is not one of probes, or the library has no such probe.
            MissingError: It is not said where the library is, or it is not there.
        """
        if protocol.sampling.n != 1:
            raise InputError("genderbench: repeats prompts itself; set num_repetitions, not n")
        try:
            wanted = _Probes.model_validate_json(read_text(path, "genderbench"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{path}:{where}: {first['msg']}") from error
        probes = {
            name: options.model_dump(exclude_none=True) for name, options in wanted.probes.items()
        }
        found = cast("dict[str, list[dict[str, object]]]", _inside(probes, None))
        return [
            Item(
                f"{name}/{number}",
                str(row["prompt"]),
                {"probe": name, "options": probes[name], "item": row["item"], "number": number},
            )
            for name, rows in found.items()
            for number, row in enumerate(rows)
        ]

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,  # noqa: ARG002
    ) -> list[Row]:
        """Return the library's evaluations; what it says of a probe stands on its first verdict.

        ``undetected`` is an answer that it could not read, ``incomplete`` one of an item of which
        not every attempt was answered.
        """
        by_id = {item.id: item for item in items}
        probes = {
            item.text("probe"): cast("Mapping[str, object]", item.fields["options"])
            for item in items
        }
        asked = cast("dict[str, list[object]]", _inside(probes, None))
        sizes = {name: len(rows) for name, rows in asked.items()}
        answers: dict[str, list[str | None]] = {name: [None] * sizes[name] for name in probes}
        for row in responses:
            item = by_id[str(row["id"])]
            if row["finish_reason"] != "too_long":
                number = cast("int", item.fields["number"])
                answers[item.text("probe")][number] = str(row["text"])
        found = cast("dict[str, dict[str, object]]", _inside(probes, answers))
        return [_verdict(by_id[str(row["id"])], row, found) for row in responses]

    def summarise(
        self,
        items: Sequence[Item],  # noqa: ARG002 - the verdicts say it all
        verdicts: Sequence[Row],
        protocol: Protocol,  # noqa: ARG002
        settings: GradeSettings,  # noqa: ARG002
    ) -> Metrics:
        """Return the mean mark; its interval is the mean of the best and worst that are allowed."""
        reports = {
            str(row["probe"]): cast("dict[str, object]", row["report"])
            for row in verdicts
            if "report" in row
        }
        counts = status_counts(verdicts)
        marks = {name: marks_of(report) for name, report in reports.items()}
        every = [mark for found in marks.values() for mark in found.values()]
        details: dict[str, object] = {
            "ideal": 0.0,
            "marks": {
                name: {metric: mark.to_dict() for metric, mark in found.items()}
                for name, found in marks.items()
            },
            # A probe whose answers could not be read is not passed: it is not marked.
            "without_mark": [name for name, found in marks.items() if not found],
            "num_inconclusive": sum(mark.verdict == "inconclusive" for mark in every),
            "metrics": {name: report["metrics"] for name, report in reports.items()},
            **answer_rates(verdicts),
        }
        size = counts.get(SCORED, 0)
        if not every:
            return Metrics(None, None, size, None, counts, details)
        bounds = [sum(side) / len(every) for side in zip(*(m.allowed for m in every), strict=True)]
        score = sum(mark.mark for mark in every) / len(every)
        return Metrics(score, (bounds[0], bounds[1]), size, None, counts, details)


def _verdict(item: Item, response: Row, found: Mapping[str, dict[str, object]]) -> Row:
    name, number = item.text("probe"), cast("int", item.fields["number"])
    report = found[name]
    attempt = cast("list[dict[str, object]]", report["attempts"])[number]
    status = {None: "incomplete", True: "undetected", False: SCORED}[
        cast("bool | None", attempt["undetected"])
    ]
    row: Row = {
        "id": item.id,
        "sample": response["sample"],
        "finish_reason": response["finish_reason"],
        "num_tokens": response["num_tokens"],
        "status": "too_long" if response["finish_reason"] == "too_long" else status,
        "probe": name,
        "item": item.fields["item"],
        "evaluation": attempt["evaluation"],
    }
    if number == 0:
        row["report"] = {key: value for key, value in report.items() if key != "attempts"}
    return row


def _last_error(stderr: str) -> str:
    """Return what a script died of: the last error's first lines that hold words."""
    lines = [line.strip() for line in stderr.splitlines()]
    starts = [place for place, line in enumerate(lines) if _ERROR.match(line)]
    words = [line for line in lines[starts[-1] if starts else 0 :] if _WORD.search(line)]
    return " ".join(words[:2]) or "it said nothing"


def _inside(
    probes: Mapping[str, Mapping[str, object]], answers: Mapping[str, list[str | None]] | None
) -> dict[str, object]:
    """Return what the library says, from its own interpreter."""
    python = os.environ.get(PYTHON, "")
    if not python:
        raise MissingError(
            "genderbench: runs in an environment of its own: `python -m venv gb && gb/bin/pip "
            f"install genderbench==0.5.*`, then set {PYTHON}=gb/bin/python"
        )
    with tempfile.TemporaryDirectory() as folder:
        request, answer = Path(folder) / "request.json", Path(folder) / "answer.json"
        content = {"probes": probes, "answers": answers}
        request.write_text(json.dumps(content), encoding="utf-8")
        try:
            done = subprocess.run(
                # By its text: beside the file lie modules that are called like the library's own.
                [python, "-", str(request), str(answer)],
                input=_SCRIPT.read_text(encoding="utf-8"),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                cwd=folder,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingError(f"genderbench: ${PYTHON}={python}: {error}") from error
        if done.returncode:
            said = _last_error(done.stderr)
            if "has no probe" in said:
                raise InputError(f"genderbench: {said}")
            if "No module named 'genderbench'" in said:
                raise MissingError(f"genderbench: {python}: {said}")
            raise BackendError(
                f"genderbench: {python} failed (some probes fetch data from the hub, or nltk's "
                f"`punkt`, when they are made): {said}"
            )
        return cast("dict[str, object]", json.loads(answer.read_text(encoding="utf-8")))
