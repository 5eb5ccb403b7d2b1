"""WinoBias (https://github.com/uclanlp/corefBias): pairs as published, without their brackets.

Line n of `pro_stereotyped_type1.txt.dev` and of `anti_stereotyped_type1.txt.dev` are a pair:

    pro   1 [The developer] argued with the designer because [he] did not like the design.
    anti  1 [The developer] argued with the designer because [she] did not like the design.

Some published pairs differ in more than the pronouns. They are found by rule, not by a list: a
pair is kept when its two sides are equal once brackets are taken off and every pronoun is replaced
by a placeholder, each side has pronouns of one gender, and the two genders differ. What is left
out is counted with its line and reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from debias_data.config import WinobiasSource
from debias_data.errors import BadRowError
from debias_data.files import require_file
from debias_data.sources.base import Item, Pair, Prompt, Skipped, register

_HINT = "get the files from https://github.com/uclanlp/corefBias (WinoBias/wino/data)"
_LINE = re.compile(r"(\d+)\s+(.+)")
_PRONOUN = re.compile(r"\b(?:(he|him|his|himself)|(she|her|hers|herself))\b", re.IGNORECASE)


@register("winobias")
def read_winobias(config: WinobiasSource) -> Iterator[Item]:
    """One item for every line pair of the chosen files: the pair, or why it is left out."""
    return islice(_read(config), config.limit)


def _read(config: WinobiasSource) -> Iterator[Item]:
    for kind in config.types:
        for part in config.parts:
            name = f"stereotyped_{kind}.txt.{part}"
            pro = require_file(config.path / f"pro_{name}", hint=_HINT)
            anti = require_file(config.path / f"anti_{name}", hint=_HINT)
            lines = zip_longest(_lines(pro), _lines(anti))
            for number, (left, right) in enumerate(lines, start=1):
                if left is None or right is None:
                    short = pro if left is None else anti
                    raise BadRowError(short, number, "missing; its partner file has this line")
                yield _item(left, right, key=f"{kind}.{part}.{number}", place=f"{anti}:{number}")


def _item(left: str, right: str, *, key: str, place: str) -> Item:
    reason = why_not_minimal(left, right)
    if reason is not None:
        return Skipped(reason, place, "winobias")
    female, male = (left, right) if _genders(left) == {"female"} else (right, left)
    return Pair(
        pair_id=f"winobias:{key}",
        # Two neighbouring lines are one schema with the two participants as antecedents.
        cluster_id="winobias:" + _cluster(key),
        female=Prompt(female),
        male=Prompt(male),
        source="winobias",
        domain="occupation",
    )


def _cluster(key: str) -> str:
    kind, part, number = key.split(".")
    return f"{kind}.{part}.{(int(number) + 1) // 2}"


def why_not_minimal(left: str, right: str) -> str | None:
    """Why two published lines are not a pair that differs in gender alone; None when they are."""
    if _PRONOUN.sub("@", left) != _PRONOUN.sub("@", right):
        return "not minimal: the sides differ in more than their pronouns"
    genders = (_genders(left), _genders(right))
    if any(len(found) != 1 for found in genders):
        return "one side has pronouns of both genders, or none"
    if genders[0] == genders[1]:
        return "both sides have the same gender"
    return None


def _genders(text: str) -> set[str]:
    return {"male" if match[1] else "female" for match in _PRONOUN.finditer(text)}


def _lines(path: Path) -> Iterator[str]:
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadRowError(path, None, f"invalid UTF-8 at byte {error.start}") from error
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise BadRowError(path, number, "expected `NUMBER SENTENCE`")
        yield plain(match[2])


def plain(marked: str) -> str:
    """The sentence without its brackets and the spaces that they leave."""
    text = re.sub(r"\[\s*([^\]]*?)\s*\]", r"\1", marked)
    return re.sub(r"\s+", " ", re.sub(r"\s+(['’.,])", r"\1", text)).strip()
