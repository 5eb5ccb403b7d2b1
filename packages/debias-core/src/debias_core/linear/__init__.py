"""Entropy, log-probability and KL straight from hidden states: the [N, V] logits never exist."""

from debias_core.config.checks import CompileHead
from debias_core.linear.api import TokenStats, linear_token_entropy
from debias_core.linear.tiles import Tiles

__all__ = ["CompileHead", "Tiles", "TokenStats", "linear_token_entropy"]
