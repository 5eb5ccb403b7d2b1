"""The gendered words: pronouns, titles and the reviewed table of pairs, each with its opposite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from debias_data.gender.types import Gender

Kind = Literal["pronoun", "title", "noun", "adj", "address"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One gendered form, in lower case.

    Attributes:
        opposite: the form of the other gender; None for `her` and `his`, where context decides.
        flags: see the head of `resources/pairs.tsv`.
    """

    form: str
    gender: Gender
    opposite: str | None
    kind: Kind
    flags: frozenset[str] = frozenset()


_PRONOUNS: Final[tuple[tuple[str, Gender, str | None], ...]] = (
    ("he", "male", "she"),
    ("him", "male", "her"),
    ("his", "male", None),
    ("himself", "male", "herself"),
    ("she", "female", "he"),
    ("her", "female", None),
    ("hers", "female", "his"),
    ("herself", "female", "himself"),
)
_TITLES: Final[tuple[tuple[str, Gender, str], ...]] = (
    ("mr", "male", "ms"),
    ("ms", "female", "mr"),
    ("mrs", "female", "mr"),
    ("miss", "female", "mr"),
    ("monsieur", "male", "madame"),
    ("madame", "female", "monsieur"),
    ("mademoiselle", "female", "monsieur"),
    ("dame", "female", "sir"),
    ("herr", "male", "frau"),
    ("frau", "female", "herr"),
    ("fräulein", "female", "herr"),
)


def read_table(name: str) -> Iterator[dict[str, str]]:
    """The rows of a tab-separated resource; lines that begin with `#` are comments."""
    text = files("debias_data.gender").joinpath("resources", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    header = lines[0].split("\t")
    for line in lines[1:]:
        yield dict(zip(header, line.split("\t"), strict=True))


@cache
def lexicon() -> dict[str, Entry]:
    """Every gendered form, lower case, plurals and contractions included."""
    entries: dict[str, Entry] = {}
    for form, gender, opposite in _PRONOUNS:
        entries[form] = Entry(form, gender, opposite, "pronoun")
    for row in read_table("pairs.tsv"):
        _add_pair(entries, row)
    for form, gender, opposite in _TITLES:
        entries[form] = Entry(form, gender, opposite, "title")
    return entries


def _add_pair(entries: dict[str, Entry], row: dict[str, str]) -> None:
    flags = frozenset(row["flags"].split())
    kind: Kind = "adj" if row["pos"] == "adj" else "address" if row["pos"] == "address" else "noun"
    for male, female in (
        (row["male"], row["female"]),
        (row["male_plural"], row["female_plural"]),
    ):
        if not male or not female:
            continue
        # The first row that brings a form decides its opposite: aliases come later in the file.
        sides: tuple[tuple[str, Gender, str], ...] = (
            (male, "male", female),
            (female, "female", male),
        )
        for form, gender, opposite in sides:
            if ("f>m" in flags and gender == "male") or ("m>f" in flags and gender == "female"):
                continue
            kept = flags if gender == "male" else flags - {"weak"}
            entries.setdefault(form, Entry(form, gender, opposite, kind, kept))
