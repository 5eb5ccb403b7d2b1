"""How often the labels are right, by class, on a file of gold labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from debias_data.errors import BadRowError, EmptyResultError
from debias_data.gender.labelling import label
from debias_data.gender.types import LabelValue
from debias_data.jsonl import read_jsonl, text_field
from debias_data.statistics import wilson

if TYPE_CHECKING:
    from debias_data.jsonl import Json


class Score(NamedTuple):
    """Right answers out of all of one class."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.right, self.total)


class Miss(NamedTuple):
    """A text that was labelled wrong."""

    row: int
    text: str
    gold: str
    found: str


@dataclass(frozen=True, slots=True)
class Report:
    """Scores by gold class (and `all`), and every miss."""

    scores: dict[str, Score]
    misses: tuple[Miss, ...]

    def as_json(self) -> dict[str, Json]:
        """The report as plain JSON."""
        scores: dict[str, Json] = {
            name: {
                "right": score.right,
                "total": score.total,
                "accuracy": score.accuracy,
                "interval": list(score.interval),
            }
            for name, score in self.scores.items()
        }
        misses: list[Json] = [dict(miss._asdict()) for miss in self.misses]
        return {"scores": scores, "misses": misses}


def validate(gold: Path) -> Report:
    """Label every row of `gold` (`{text, label}`) and compare.

    Raises:
        BadRowError: a row without them, or with another label.
        EmptyResultError: there is no row.
    """
    classes = get_args(LabelValue)
    right = dict.fromkeys(classes, 0)
    total = dict.fromkeys(classes, 0)
    misses: list[Miss] = []
    for number, row in read_jsonl(gold):
        text = text_field(row, "text", path=gold, number=number)
        wanted = text_field(row, "label", path=gold, number=number)
        if wanted not in classes:
            raise BadRowError(gold, number, f"{wanted!r} is not one of {classes}", column="label")
        found = label(text).value
        total[wanted] += 1
        if found == wanted:
            right[wanted] += 1
        else:
            misses.append(Miss(number, text, wanted, found))
    if not misses and not sum(total.values()):
        raise EmptyResultError(f"{gold}: no rows")
    scores = {name: Score(right[name], total[name]) for name in classes if total[name]}
    scores["all"] = Score(sum(right.values()), sum(total.values()))
    return Report(scores, tuple(misses))
