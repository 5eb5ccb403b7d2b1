"""Which model is in a folder: a hash of what is in its files, never of their names or times."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from debias_eval.backends.base import ModelIdentity
from debias_eval.errors import ModelError
from debias_eval.files import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderState", "model_identity"]

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
)
_CONFIG_FILES = ("config.json", "generation_config.json")


def _digest(folder: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\0{sha256_file(folder / name)}\n".encode())
    return digest.hexdigest()


def model_identity(folder: Path) -> ModelIdentity:
    """Return the content hashes of a model folder: weights with config, and tokenizer files."""
    weights = [path.name for path in folder.glob("*.safetensors")]
    config = [name for name in _CONFIG_FILES if (folder / name).is_file()]
    tokenizer = [name for name in _TOKENIZER_FILES if (folder / name).is_file()]
    return ModelIdentity(str(folder), _digest(folder, weights + config), _digest(folder, tokenizer))


class FolderState:
    """What a folder's files looked like before they were hashed: hashed and loaded must be one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._look()

    def _look(self) -> dict[str, tuple[int, int]]:
        files = [path for path in self._folder.iterdir() if path.is_file()]
        return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    def check_unchanged(self) -> None:
        """Pass where nothing was written since.

        Raises:
            ModelError: Something was: answers would be kept under the hash of other weights.
        """
        now = self._look()
        changed = sorted(name for name in now | self._seen if now.get(name) != self._seen.get(name))
        if changed:
            raise ModelError(
                f"{self._folder}: {', '.join(changed[:3])} changed while the model was being "
                "loaded; wait until it is written and run the same command again"
            )
