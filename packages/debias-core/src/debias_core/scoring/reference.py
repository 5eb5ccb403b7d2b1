"""The model that KL is measured against: the one that training began from.

With full fine-tuning it is a frozen copy. With an adapter it is the same weights with the adapter
switched off, and costs no memory.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

from torch import nn


class Reference(Protocol):
    """What can be scored as the reference."""

    def using(self) -> AbstractContextManager[nn.Module]:
        """Returns a context in which the module that it gives computes as the reference does."""
        ...


Model = TypeVar("Model", bound=nn.Module)


class FrozenModel(Generic[Model]):
    """A model of its own that nothing changes.

    Attributes:
        model: it.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        model.requires_grad_(requires_grad=False)

    @classmethod
    def copy_of(cls, model: Model) -> FrozenModel[Model]:
        """Returns a frozen copy of a model as it is now."""
        return cls(copy.deepcopy(model))

    @contextlib.contextmanager
    def using(self) -> Iterator[nn.Module]:
        """Gives the frozen model."""
        yield self.model
