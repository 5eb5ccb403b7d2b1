"""WinoGender schemas (https://github.com/rudinger/winogender-schemas): pairs as published.

`all_sentences.tsv` has one sentence a line under the id `occupation.participant.answer.gender.txt`;
the male and the female sentence of one template are the pair, the neutral one is not used. The
named participant and `someone` are two pairs of one cluster, the template.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from debias_data.config import WinogenderSource
from debias_data.errors import BadRowError
from debias_data.files import require_file
from debias_data.sources.base import Item, Pair, Prompt, register

_HEADER = ("sentid", "sentence")
_GENDERS = ("male", "female", "neutral")
_HINT = "get it from https://github.com/rudinger/winogender-schemas (data/all_sentences.tsv)"


@register("winogender")
def read_winogender(config: WinogenderSource) -> Iterator[Item]:
    """One pair for every template and kind of participant, in the file's order.

    Raises:
        BadRowError: a line not of the published form, or a sentence without its partner.
    """
    return islice(_read(config), config.limit)


def _read(config: WinogenderSource) -> Iterator[Item]:
    path = config.path / "all_sentences.tsv" if config.path.is_dir() else config.path
    sides: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    for number, key, gender, sentence in _sentences(require_file(path, hint=_HINT)):
        named = key.split(".")[1] != "someone"
        if config.participants != "both" and named != (config.participants == "named"):
            continue
        if gender in sides.setdefault(key, {}):
            raise BadRowError(path, number, f"{key}.{gender} occurs twice", column="sentid")
        sides[key][gender] = sentence
        lines[key] = number
    for key, side in sides.items():
        if not {"male", "female"} <= side.keys():
            raise BadRowError(path, lines[key], f"{key} has no male or no female sentence")
        occupation, _, answer = key.split(".")
        yield Pair(
            pair_id=f"winogender:{key}",
            cluster_id=f"winogender:{occupation}.{answer}",
            female=Prompt(side["female"]),
            male=Prompt(side["male"]),
            source="winogender",
            domain="occupation",
        )


def _sentences(path: Path) -> Iterator[tuple[int, str, str, str]]:
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadRowError(path, None, f"invalid UTF-8 at byte {error.start}") from error
    if not lines or tuple(lines[0].split("\t")) != _HEADER:
        raise BadRowError(path, 1, f"expected the header {_HEADER}")
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        parts = fields[0].split(".")
        if len(fields) != 2 or len(parts) != 5 or parts[3] not in _GENDERS or not fields[1].strip():
            raise BadRowError(
                path, number, "expected `occupation.participant.answer.gender.txt`, text"
            )
        yield number, ".".join(parts[:3]), parts[3], fields[1]
