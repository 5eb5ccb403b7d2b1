"""How many tokens a text has: token length alone makes a gap between the sides of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from debias_data.errors import InvalidInputError, MissingInputError
from debias_data.files import require_file
from debias_data.gender.names import pair_by_length

CountTokens = Callable[[str], int]


@lru_cache(maxsize=4)
def token_counter(path: Path) -> CountTokens:
    """The counter of a tokenizer, without its special tokens.

    Args:
        path: of a `tokenizer.json`, or of a folder that has one.

    Raises:
        MissingInputError: it is not there, or the package `tokenizers` is not installed.
        InvalidInputError: it is not a tokenizer.
    """
    file = require_file(path / "tokenizer.json" if path.is_dir() else path)
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra of this package
    except ImportError as error:
        raise MissingInputError(
            "`tokenizer` needs the package tokenizers: pip install 'debias-data[tokens]'"
        ) from error
    try:
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises no narrower class
        raise InvalidInputError(f"{file}: not a tokenizer: {error}") from error

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


@lru_cache(maxsize=4)
def names_of_equal_length(path: Path) -> Mapping[str, str]:
    """Name → name of the other gender with as many tokens behind a space, where there is one.

    Raises:
        MissingInputError, InvalidInputError: as `token_counter`.
    """
    count = token_counter(path)
    return pair_by_length(lambda name: count(f" {name}"))
