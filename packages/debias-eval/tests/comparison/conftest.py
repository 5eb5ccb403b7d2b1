"""Result folders made by hand, in the format that an evaluation writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

Row = Mapping[str, object]


class Folder:
    """A result folder that grows benchmark by benchmark."""

    def __init__(self, path: Path, weights: str) -> None:
        self.path = path
        self._model = {"path": "m", "weights_sha256": weights * 64, "tokenizer_sha256": "t" * 64}
        self._benchmarks: dict[str, dict[str, object]] = {}

    def outcomes(self, name: str, right: Sequence[bool], **changes: object) -> Folder:
        """Add a benchmark with one answer an item."""
        kind = changes.get("kind", "maths")
        good, bad = ("correct", "incorrect") if kind == "maths" else ("passed", "failed")
        rows = [
            {"id": f"{name}/{i}", "sample": 0, "status": good if ok else bad}
            for i, ok in enumerate(right)
        ]
        return self.verdicts(name, rows, score=float(np.mean(right)), **changes)

    def verdicts(self, name: str, rows: Sequence[Row], **changes: object) -> Folder:
        """Add a benchmark with the verdict rows given."""
        self._write(name, "verdicts.jsonl", rows)
        return self.listed(name, **{"kind": "maths", "higher_is_better": True, **changes})

    def gap(self, pairs: Sequence[Row], **changes: object) -> Folder:
        """Add an entropy gap."""
        self._write("entropy_gap", "pairs.jsonl", pairs)
        return self.listed("entropy_gap", **{"kind": "bias", "higher_is_better": None, **changes})

    def listed(self, name: str, **changes: object) -> Folder:
        """Add a benchmark's line to results.json."""
        self._benchmarks[name] = {
            "score": 0.5,
            "interval": None,
            "n": 1,
            "k": None,
            "metric": "accuracy",
            "kind": "quality",
            "higher_is_better": None,
            "protocol": {},
            "protocol_hash": "0123456789",
            "data_sha256": "d" * 64,
            "counts": {},
            "details": {},
            **changes,
        }
        results = {
            "format": 1,
            "model": self._model,
            "backend": "transformers",
            "versions": {},
            "benchmarks": self._benchmarks,
        }
        (self.path / "results.json").write_text(json.dumps(results), encoding="utf-8")
        return self

    def _write(self, name: str, file: str, rows: Sequence[Row]) -> None:
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / file).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Folder]:
    """Makes an empty result folder of a name."""

    def make(name: str, weights: str | None = None) -> Folder:
        path = tmp_path / name
        path.mkdir()
        return Folder(path, weights or name[0])

    return make


@pytest.fixture
def pair_rows() -> Callable[..., list[Row]]:
    """Makes the rows of an entropy gap."""

    def make(gap: float, *, pairs: int = 100, seed: int = 0, noise: float = 0.1) -> list[Row]:
        rng = np.random.default_rng([seed, round(1000 * abs(gap))])
        female = 1 + gap / 2 + rng.normal(0, noise, (pairs, 2))
        male = 1 - gap / 2 + rng.normal(0, noise, (pairs, 2))
        return [
            {
                "pair_id": f"p{i}",
                "cluster_id": f"c{i}",
                "female": female[i].tolist(),
                "male": male[i].tolist(),
                "direct": None,
            }
            for i in range(pairs)
        ]

    return make
