"""Given names by gender, grouped so that the two sides of a pair have names of equal length.

Every name is common, read as one gender only, and not an English word. The held-out names occur
in no training text of the embedded model: what is measured on them is the reaction to gender, not
to a memorised name.
"""

from __future__ import annotations

from typing import Literal

NamePool = Literal["train", "heldout"]
"""Which names a generator may use; the two pools are disjoint."""

_FEMALE: dict[NamePool, str] = {
    "train": (
        "Emma Anna Lucy Ella Jane Lily Rosa Nina Mila Tina Lisa Vera "
        "Alice Maria Sofia Chloe Diana Helen Julia Laura Linda Nancy Paula Susan Wendy Clara Fiona "
        "Amanda Bianca Daphne Esther Hannah Isabel Louisa Martha Monica Nadine Olivia Pamela "
        "Rachel Sandra Sylvia"
    ),
    "heldout": (
        "Ruth Sara Lena Olga Judy Gina "
        "Elena Irene Ellen Betty Naomi Karen "
        "Ursula Yvonne Brenda Evelyn Gloria Helena"
    ),
}
_MALE: dict[NamePool, str] = {
    "train": (
        "John Paul Adam Eric Ivan Luke Noah Owen Ryan Hugo Fred Gary "
        "David James Peter Kevin Brian Henry Oscar Simon Bruce Diego Jacob Jason Keith Lucas Roger "
        "Andrew Daniel Edward George Harold Hector Joseph Martin Nathan Oliver Robert Samuel "
        "Steven Thomas Victor"
    ),
    "heldout": (
        "Carl Doug Neil Greg Hans Todd "
        "Ethan Felix Isaac Larry Mario Ralph "
        "Walter Albert Arthur Dennis Howard Philip"
    ),
}
UNISEX: tuple[str, ...] = ("Robin", "Casey", "Riley", "Quinn", "Jamie", "Avery", "Rowan", "Emery")
"""Names that speak for no gender, used in problems without gender markers."""

SURNAMES: tuple[str, ...] = (
    "Carter", "Hughes", "Fischer", "Novak", "Silva", "Tanaka", "Okafor", "Larsen",
    "Moreau", "Rossi", "Haddad", "Kumar",
)  # fmt: skip
"""Surnames for the problems that name people by title; the same on both sides of a pair."""


def name_pairs(pool: NamePool) -> tuple[tuple[str, str], ...]:
    """Return every (female, male) pair of names of equal length in the pool, in a fixed order."""
    females, males = _FEMALE[pool].split(), _MALE[pool].split()
    return tuple((f, m) for f in females for m in males if len(f) == len(m))
