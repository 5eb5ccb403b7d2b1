"""The errors of debias-core.

DebiasCoreError
├── ConfigError         a setting that cannot work, with the field's name
├── DataError           rows that cannot be trained on: a missing column or group, a lone side
├── ModelError          weights that cannot be used: not safetensors, not finite
├── CheckpointError     a checkpoint of another run; damaged ones are passed over
├── InterruptedTraining asked to stop; the state is saved
├── NonFiniteError      a loss or a gradient that is not finite; nothing was updated
├── NotEnoughMemoryError  an allocation failed; the message names the smaller setting
├── MissingPackageError   a package of an extra is not installed; names the command
└── PublishingError     a model that cannot be uploaded, or a hub that does not take it
"""

from __future__ import annotations

from collections.abc import Mapping


class DebiasCoreError(Exception):
    """Root of every error that debias-core raises on purpose."""


class ConfigError(DebiasCoreError, ValueError):
    """A setting that cannot work; the message names the field."""


class DataError(DebiasCoreError, ValueError):
    """Rows that cannot be trained or measured on."""


class ModelError(DebiasCoreError):
    """Weights or a tokenizer that cannot be used."""


class CheckpointError(DebiasCoreError):
    """A checkpoint that is incomplete, damaged or from another run."""


class InterruptedTraining(DebiasCoreError):  # noqa: N818 - an event, not a fault
    """Training was asked to stop; the step was finished and the state saved."""


class NonFiniteError(DebiasCoreError, ArithmeticError):
    """A loss or gradient that is not finite; the optimiser did not step.

    Attributes:
        loss: of the effective batch, or None where it was not computed.
        ranges: smallest, largest and mean finite value of every term, and how many are not finite.
    """

    def __init__(
        self,
        message: str,
        *,
        loss: float | None = None,
        ranges: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(message)
        self.loss, self.ranges = loss, dict(ranges or {})


class NotEnoughMemoryError(DebiasCoreError, MemoryError):
    """An allocation failed; the message holds the sizes and the smaller setting to use."""


class PublishingError(DebiasCoreError):
    """A model folder that cannot be uploaded, or a hub that does not take it."""


class MissingPackageError(DebiasCoreError, ModuleNotFoundError):
    """A package that only an extra brings is not installed; the message holds the command."""
