"""Which split a cluster is in: a function of its id and the seed, and of nothing else."""

from __future__ import annotations

import hashlib

from debias_data.config import SplitConfig, SplitName

_RESOLUTION = 1 << 53


def split_of(cluster_id: str, *, shares: SplitConfig, seed: int) -> SplitName:
    """The split of a cluster; the same cluster is always in the same one.

    Adding data moves no cluster to another split.
    """
    digest = hashlib.sha256(f"{seed}\0{cluster_id}".encode()).digest()
    position = (int.from_bytes(digest[:8], "big") >> 11) / _RESOLUTION
    if position < shares.train:
        return "train"
    return "dev" if position < shares.train + shares.dev else "test"
