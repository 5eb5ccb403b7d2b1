"""pass@k: the chance that at least one of k samples passes (Chen et al. 2021, equation 1)."""

from __future__ import annotations

import math


def pass_at_k(num_samples: int, num_passed: int, k: int) -> float:
    """Return the unbiased estimate `1 - C(n - c, k) / C(n, k)` for one problem.

    It is computed as `1 - prod(1 - k / i for i in n - c + 1 … n)`, which does not overflow.

    Args:
        num_samples: n, samples drawn for the problem.
        num_passed: c, how many of them passed.
        k: how many samples one would draw.

    Raises:
        ValueError: k is over n, where no unbiased estimate exists, or the counts make no sense.
    """
    if not 0 <= num_passed <= num_samples:
        raise ValueError(f"{num_passed} of {num_samples} samples cannot have passed")
    if not 1 <= k <= num_samples:
        raise ValueError(f"pass@{k} cannot be estimated from {num_samples} samples of a problem")
    if num_samples - num_passed < k:
        return 1.0
    kept = range(num_samples - num_passed + 1, num_samples + 1)
    return 1.0 - math.prod(1.0 - k / i for i in kept)
