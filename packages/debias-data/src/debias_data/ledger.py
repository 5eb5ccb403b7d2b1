"""What a build remembers of every pair: a few numbers in arrays, whatever the texts' size."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from debias_data.work import Facts

    Places = Sequence[int] | NDArray[np.int64]

Kind = Literal["origin", "domain", "source", "split"]
KINDS: tuple[Kind, ...] = ("origin", "domain", "source", "split")
Measure = Literal["confidence", "characters", "words_apart", "characters_apart", "tokens_apart"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


def digest64(text: str) -> int:
    """64 bits that stand for a text; two of a billion texts share them with p < 0.03."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "big")


class Ledger:
    """The pairs of a build by place, from 0: strata as codes, measures as numbers."""

    def __init__(self) -> None:
        self.names: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
        self.codes: dict[Kind, array[int]] = {kind: array("I") for kind in KINDS}
        self.measures: dict[Measure, array[float]] = {kind: array("d") for kind in MEASURES}
        self.clusters = array("Q")
        self.signatures = bytearray()
        self.spares = bytearray()
        self._numbers: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        self._ids: set[int] = set()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.clusters)

    def add(self, facts: Facts, *, is_spare: bool = False) -> bool:
        """Enter a pair; False, and nothing entered, when its id is there already.

        A spare pair is in the table only where a stratum has to be completed.
        """
        identity = digest64(facts.pair_id)
        if identity in self._ids:
            return False
        self._ids.add(identity)
        for kind in KINDS:
            name = getattr(facts, kind)
            number = self._numbers[kind].get(name)
            if number is None:
                number = self._numbers[kind][name] = len(self.names[kind])
                self.names[kind].append(name)
            self.codes[kind].append(number)
        for measure in MEASURES:
            self.measures[measure].append(getattr(facts, measure))
        self.clusters.append(digest64(facts.cluster_id))
        self.signatures += facts.signature
        self.spares.append(is_spare)
        return True

    @property
    def num_pairs(self) -> int:
        """Number of pairs without the spare ones."""
        return len(self.spares) - self.spares.count(1)

    def name(self, kind: Kind, place: int) -> str:
        """The stratum of a pair."""
        return self.names[kind][self.codes[kind][place]]

    def strata(self, kind: Kind, places: Places) -> Counter[str]:
        """Number of pairs by stratum, of the pairs at `places`."""
        names = self.names[kind]
        counts = np.bincount(self.codes_at(kind, places), minlength=len(names)).tolist()
        return Counter({name: count for name, count in zip(names, counts, strict=True) if count})

    def crossed(self, kind: Kind, other: Kind, places: Places) -> Counter[tuple[str, str]]:
        """Number of pairs by two strata at once."""
        rows, columns = self.names[kind], self.names[other]
        codes = self.codes_at(kind, places) * len(columns) + self.codes_at(other, places)
        counts = np.bincount(codes, minlength=len(rows) * len(columns)).tolist()
        cells = zip(product(rows, columns), counts, strict=True)
        return Counter({cell: count for cell, count in cells if count})

    def codes_at(self, kind: Kind, places: Places) -> NDArray[np.int64]:
        """The stratum of each of the pairs, as its place in `names`."""
        return np.array(self.codes[kind], np.int64)[np.asarray(places, np.int64)]

    def values(self, measure: Measure, places: Places) -> NDArray[np.float64]:
        """A measure of each of the pairs."""
        return np.array(self.measures[measure], np.float64)[np.asarray(places, np.int64)]

    def count_clusters(self, places: Places) -> int:
        """Number of clusters that the pairs are of."""
        clusters = np.array(self.clusters, np.uint64)[np.asarray(places, np.int64)]
        return int(np.unique(clusters).size)

    def cluster_in_two_splits(self) -> int | None:
        """The place of the first pair whose cluster is in another split too, or None."""
        first: dict[int, int] = {}
        if len(self.names["split"]) < 2:
            return None
        for place, (cluster, split) in enumerate(
            zip(self.clusters, self.codes["split"], strict=True)
        ):
            if first.setdefault(cluster, split) != split:
                return place
        return None
