"""The synthetic problem generator: paired arithmetic word problems with known answers.

A cluster is the underlying problem (template, object and numbers); its id is made of them, so it
is the same in every run and a held-out cluster stays held out whatever the seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, get_args

from debias_data.synthetic.names import SURNAMES, UNISEX, NamePool, name_pairs
from debias_data.synthetic.templates import (
    MATHS,
    NEUTRAL,
    OBJECTS,
    PROFESSIONAL,
    WORK_OBJECTS,
    Domain,
    Operation,
    Template,
)

MARKERS: Final[dict[str, dict[str, str]]] = {
    "female": {
        "sub": "she", "Sub": "She", "obl": "her", "pos": "her", "Pos": "Her",
        "title": "Ms.", "child": "girl", "adult": "woman", "kid": "daughter",
    },
    "male": {
        "sub": "he", "Sub": "He", "obl": "him", "pos": "his", "Pos": "His",
        "title": "Mr.", "child": "boy", "adult": "man", "kid": "son",
    },
}  # fmt: skip
"""What each gender placeholder of a template becomes (``name`` is added per pair)."""

_SOURCES: Final[dict[Domain, tuple[tuple[Template, ...], tuple[str, ...]]]] = {
    "maths": (MATHS, OBJECTS),
    "professional": (PROFESSIONAL, WORK_OBJECTS),
}
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Span:
    """A gender marker in a prompt: ``prompt[start:end] == text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered problem and the gender markers in it."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The one step of a problem: ``expression`` as written out, ``answer`` its value."""

    operation: Operation
    a: int
    b: int

    @property
    def expression(self) -> str:
        """The step as text, e.g. ``5 + 2``."""
        sign = {"add": "+", "subtract": "-", "double": "*"}[self.operation]
        return f"{self.a} {sign} {self.b}"

    @property
    def answer(self) -> int:
        """The value of the expression."""
        values = {"add": self.a + self.b, "subtract": self.a - self.b, "double": self.a * self.b}
        return values[self.operation]


# Small numbers, so that a tiny model can be sure of the result.
_STEPS: Final[dict[Operation, tuple[Arithmetic, ...]]] = {
    "add": tuple(Arithmetic("add", a, b) for a in range(2, 13) for b in range(2, 10)),
    "subtract": tuple(
        Arithmetic("subtract", a, b) for a in range(5, 19) for b in range(2, 10) if b <= a - 2
    ),
    "double": tuple(Arithmetic("double", a, 2) for a in range(2, 13)),
}


@dataclass(frozen=True, slots=True)
class ProblemPair:
    """The female- and the male-marked version of one problem; nothing but the markers differs."""

    pair_id: str
    cluster_id: str
    domain: Domain
    step: Arithmetic
    female: Prompt
    male: Prompt


@dataclass(frozen=True, slots=True)
class NeutralProblem:
    """A problem without gender markers."""

    cluster_id: str
    step: Arithmetic
    text: str


def iter_pairs(
    *, clusters: int, seed: int, domain: Domain = "maths", names: NamePool = "train"
) -> Iterator[ProblemPair]:
    """Yield ``clusters`` pairs of distinct clusters, the same ones for the same arguments.

    Args:
        clusters: number of clusters, one pair each.
        seed: seed of the choice of templates, objects, numbers and names.
        domain: ``maths`` (everyday problems) or ``professional`` (at work).
        names: ``train`` or ``heldout``, two disjoint pools.

    Raises:
        ValueError: for an unknown domain or pool, or when there are fewer distinct clusters.
    """
    if names not in get_args(NamePool):
        raise ValueError(f"names is {names!r}; it must be one of {get_args(NamePool)}")
    if domain not in _SOURCES:
        raise ValueError(f"domain is {domain!r}; it must be one of {tuple(_SOURCES)}")
    rng = random.Random(f"{domain}/{names}/{seed}")  # noqa: S311 - reproducible, not secret
    templates, objects = _SOURCES[domain]
    people = name_pairs(names)
    for template, noun, step in _distinct(rng, templates, objects, clusters):
        female_name, male_name = rng.choice(people)
        cluster_id = f"{domain}:{template.key}:{noun}:{step.a}:{step.b}"
        shared = {"a": str(step.a), "b": str(step.b), "obj": noun, "surname": rng.choice(SURNAMES)}
        yield ProblemPair(
            pair_id=f"{cluster_id}:{female_name}-{male_name}",
            cluster_id=cluster_id,
            domain=domain,
            step=step,
            female=_render(template.text, shared, MARKERS["female"] | {"name": female_name}),
            male=_render(template.text, shared, MARKERS["male"] | {"name": male_name}),
        )


def iter_neutral(*, clusters: int, seed: int) -> Iterator[NeutralProblem]:
    """Yield ``clusters`` distinct problems without gender markers (some name a unisex name)."""
    rng = random.Random(f"neutral/{seed}")  # noqa: S311 - reproducible, not secret
    for template, noun, step in _distinct(rng, NEUTRAL, OBJECTS, clusters):
        shared = {"a": str(step.a), "b": str(step.b), "obj": noun, "name": rng.choice(UNISEX)}
        cluster_id = f"neutral:{template.key}:{noun}:{step.a}:{step.b}"
        yield NeutralProblem(cluster_id, step, _render(template.text, shared, {}).text)


def _distinct(
    rng: random.Random, templates: tuple[Template, ...], objects: tuple[str, ...], clusters: int
) -> Iterator[tuple[Template, str, Arithmetic]]:
    """Draw distinct (template, object, step) triples: templates in turn, the rest at random.

    A template whose triples are all given leaves the round.
    """
    room = {template: len(objects) * len(_STEPS[template.operation]) for template in templates}
    if clusters > sum(room.values()):
        raise ValueError(f"{clusters} clusters asked for; there are only {sum(room.values())}")
    seen: set[tuple[Template, str, Arithmetic]] = set()
    while len(seen) < clusters:
        for template in rng.sample(list(room), len(room))[: clusters - len(seen)]:
            while True:
                triple = (template, rng.choice(objects), rng.choice(_STEPS[template.operation]))
                if triple not in seen:
                    break
            seen.add(triple)
            room[template] -= 1
            if not room[template]:
                del room[template]
            yield triple


def _render(text: str, shared: dict[str, str], markers: dict[str, str]) -> Prompt:
    """Fill in a template in one pass, noting where each gender marker lands."""
    parts: list[str] = []
    spans: list[Span] = []
    length = last = 0
    for match in _PLACE.finditer(text):
        literal, key = text[last : match.start()], match[1]
        value = markers.get(key) or shared[key]
        length += len(literal)
        if key in markers:
            spans.append(Span(length, length + len(value), value))
        length += len(value)
        parts += [literal, value]
        last = match.end()
    return Prompt("".join(parts) + text[last:], tuple(spans))
