"""What both models wrote on the items where one is right and the other is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from debias_eval.comparison.loading import RIGHT, ResultFolder
from debias_eval.jsonl import read_models

SHOWN = 8
"""How many gained items, and how many lost ones, are shown with their answers."""

_LONGEST = 1_200  # characters of a text; the whole of it is in the evaluation's own files

Direction = Literal["gained", "lost"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One model's answer: its verdict, what was read out of it, and the text, cut if long."""

    status: str
    extracted: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """An item that one of the models solves and the other does not.

    Attributes:
        id: of the item.
        direction: ``gained`` or ``lost``, seen from the candidate.
        prompt: what was asked, cut if long.
        before: an answer of the original; the kind that makes the difference where it gave several.
        after: the same of the candidate.
    """

    id: str
    direction: Direction
    prompt: str
    before: Answer
    after: Answer

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""

        def plain(answer: Answer) -> dict[str, str]:
            return {
                "status": answer.status,
                "extracted": answer.extracted,
                "text": answer.text,
            }

        return {
            "id": self.id,
            "direction": self.direction,
            "prompt": self.prompt,
            "before": plain(self.before),
            "after": plain(self.after),
        }


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)
    id: str


class _Prompt(_Row):
    prompt: str = ""


class _Text(_Row):
    sample: int = Field(default=0, ge=0)
    text: str = ""


class _Verdict(_Row):
    sample: int = Field(default=0, ge=0)
    status: str
    extracted: str | None = None


def changed_items(
    name: str,
    folders: tuple[ResultFolder, ResultFolder],
    gained: Sequence[str],
    lost: Sequence[str],
) -> tuple[ChangedItem, ...]:
    """Return the first gained and the first lost items with the answers of both models.

    Empty where an evaluation kept no texts (``generations.jsonl``).

    Args:
        name: of the benchmark.
        folders: results of the original and of the candidate.
        gained: ids of items that the candidate does better.
        lost: ids of items that the original does better.

    Raises:
        InputError: ``file:line:field: what``.
    """
    wanted: dict[str, Direction] = dict.fromkeys(gained[:SHOWN], "gained")
    wanted |= dict.fromkeys(lost[:SHOWN], "lost")
    sides = [folder.part(name) for folder in folders]
    if not wanted or not all((side / "generations.jsonl").is_file() for side in sides):
        return ()
    right = RIGHT[folders[0].benchmarks[name].kind]
    before, after = (_answers(side, wanted) for side in sides)
    prompts = _prompts(sides[0], wanted)
    return tuple(
        ChangedItem(
            item,
            direction,
            prompts.get(item, ""),
            _pick(before[item], right, solved=direction == "lost"),
            _pick(after[item], right, solved=direction == "gained"),
        )
        for item, direction in wanted.items()
        if before.get(item) and after.get(item)
    )


def _prompts(folder: Path, wanted: Collection[str]) -> Mapping[str, str]:
    path = folder / "items.jsonl"
    if not path.is_file():
        return {}
    return {row.id: _cut(row.prompt) for row in read_models(path, _Prompt) if row.id in wanted}


def _answers(folder: Path, wanted: Collection[str]) -> Mapping[str, list[Answer]]:
    """Return the answers to the wanted items, in the order of their samples."""
    texts = {
        (row.id, row.sample): row.text
        for row in read_models(folder / "generations.jsonl", _Text)
        if row.id in wanted
    }
    verdicts = [row for row in read_models(folder / "verdicts.jsonl", _Verdict) if row.id in wanted]
    found: dict[str, list[Answer]] = {item: [] for item in wanted}
    for row in sorted(verdicts, key=lambda row: row.sample):
        text = texts.get((row.id, row.sample), "")
        found[row.id].append(Answer(row.status, _cut(row.extracted or ""), _cut(text)))
    return found


def _pick(answers: Sequence[Answer], right: str, *, solved: bool) -> Answer:
    """Return the first answer that is right, or that is not; the first of all failing that."""
    return next((a for a in answers if (a.status == right) == solved), answers[0])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
