"""Errors of execution: a machine that cannot do it, as against a program that fails."""

from __future__ import annotations

from debias_eval.errors import DebiasEvalError


class SandboxUnavailableError(DebiasEvalError):
    """No permitted level of isolation works on this machine."""
