"""What a function says, remembered by key: a dictionary that cannot outgrow the memory.

Looking a key up is what it is in any dictionary, and `map(known.__getitem__, keys)` runs without a
call per key; `functools.lru_cache` would make one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_MAX_KEYS = 1 << 17
_MAX_LENGTH = 40
_MAX_DIGITS = 3

K = TypeVar("K", bound="str | bytes")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Every key met so far, with its value.

    Keys that are too long to be words are not kept, nor are long numbers: they hardly come again,
    and a dictionary full of them is slow to look into.
    """

    def __init__(self, find: Callable[[K], V]) -> None:
        """Begin with no key; `find` gives the value of one."""
        super().__init__()
        self._find: Callable[[K], V] = find

    def __missing__(self, key: K) -> V:
        """The value of a key that is not kept."""
        value = self._find(key)
        is_number = key[:1].isdigit()
        if len(key) <= (_MAX_DIGITS if is_number else _MAX_LENGTH):
            if len(self) >= _MAX_KEYS:
                self.clear()
            self[key] = value
        return value
