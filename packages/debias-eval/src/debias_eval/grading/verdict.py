"""What one grading says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["correct", "incorrect", "unparsed", "timeout", "limit", "gold_error"]

STATUSES: tuple[Status, ...] = (
    "correct",
    "incorrect",
    "unparsed",
    "timeout",
    "limit",
    "gold_error",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer's verdict; only ``correct`` counts as right.

    Attributes:
        status: ``correct``; ``incorrect``; ``unparsed`` (no answer found, or one that cannot be
            read); ``timeout`` (comparing took longer than its budget); ``limit`` (the answer is
            too long, too deep or too large to be evaluated, so it was not); ``gold_error`` (the
            reference itself holds no readable answer: a fault of the data, not of the model).
        extracted: The answer taken out of the prediction, as it is written there.
        method: What decided: ``string`` (equal as text), ``expression`` (shapes, exact numbers and
            identities, in the caller's process), ``symbolic`` (sympy and math-verify, in a worker
            process) or ``none`` (nothing was compared).
        detail: A reason for people, empty where the status says it all.
    """

    status: Status
    extracted: str | None
    method: str
    detail: str = ""

    @property
    def correct(self) -> bool:
        """Whether the answer counts as right."""
        return self.status == "correct"
