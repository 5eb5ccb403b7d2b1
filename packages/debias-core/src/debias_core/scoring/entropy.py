"""Entropy of next-token distributions, in nats.

Shape suffixes: B rows, T positions, N scored tokens, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from debias_core.errors import DataError


def token_entropy(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Returns the entropy of softmax(logits / temperature), in nats, for every leading position.

    `H = logsumexp(z) - sum(softmax(z) * z)`, computed in float32 whatever the dtype of the logits
    (in float64 for float64 logits, so that gradients can be checked). A logit of -inf is a token
    with probability 0 and counts 0.

    Args:
        logits: [..., V].
        temperature: divides the logits; above 0.

    Returns:
        [...], between 0 and ln V. The caller aligns it: the entropy of token t is read from the
        logits at the position before t.
    """
    return entropy_of(token_log_probabilities(logits, temperature=temperature))


def token_log_probabilities(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Returns log softmax(logits / temperature), [..., V], in float32 (float64 stays)."""
    if temperature <= 0:
        raise DataError(f"temperature must be above 0, not {temperature}")
    z = logits if logits.dtype == torch.float64 else logits.float()
    return torch.log_softmax(z if temperature == 1 else z / temperature, dim=-1)


def entropy_of(log_p: Tensor) -> Tensor:
    """Returns the entropy of distributions that are given as log-probabilities [..., V], nats."""
    # exp(-inf) * -inf would be NaN: an impossible token contributes nothing
    return -(log_p.exp() * log_p.clamp(min=torch.finfo(log_p.dtype).min)).sum(-1)


def token_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Returns KL(softmax(logits) || softmax(reference_logits)), in nats, for every position.

    Exact over the vocabulary, no sampling noise. Both arguments are [..., V]; float32 arithmetic.
    """
    log_p = torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)
    log_q = torch.log_softmax(reference_logits.to(log_p.dtype), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def token_logprob(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns log softmax(logits) at the target of every position, in nats; float32 arithmetic.

    Args:
        logits: [..., V].
        targets: [...] token ids.
    """
    log_p = torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)
    return log_p.gather(-1, targets[..., None])[..., 0]


def mean_per_sample(values_N: Tensor, sample_N: Tensor, num_samples: int) -> Tensor:
    """Returns the mean of the token values of every sample, [num_samples].

    Args:
        values_N: one value a scored token.
        sample_N: the index of the sample that each token belongs to.
        num_samples: length of the result.

    Raises:
        DataError: a sample has no token; every answer holds at least its EOS.
    """
    counts = torch.bincount(sample_N, minlength=num_samples)
    if bool((counts == 0).any()):
        empty = int((counts == 0).nonzero()[0])
        raise DataError(f"sample {empty} has no answer token; its entropy is undefined")
    total = torch.zeros(num_samples, dtype=values_N.dtype, device=values_N.device)
    return total.index_add(0, sample_N, values_N) / counts
