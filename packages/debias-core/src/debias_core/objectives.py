"""What can be minimised: pure functions of sample entropies and group ids.

Every function takes `entropies` [n], the mean token entropy of each sampled answer in nats, and
`groups`, the group of each: a sequence of names out of `declared`, or a tensor of indices into it.
The gap is signed, first declared group minus second (female minus male). All are differentiable
in `entropies`; how the gradient reaches the weights is the business of `debias_core.gradient`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from debias_core.config import GROUPS
from debias_core.errors import DataError

Groups = Tensor | Sequence[str]


def group_ids(
    groups: Groups, declared: Sequence[str] = GROUPS, *, device: torch.device | None = None
) -> Tensor:
    """Returns group indices, [n] int64.

    Raises:
        DataError: a label that is not declared.
    """
    if isinstance(groups, Tensor):
        ids = groups.to(device=device, dtype=torch.long)
        wrong = (ids < 0) | (ids >= len(declared))
        if bool(wrong.any()):
            raise DataError(
                f"group id {int(ids[wrong][0])} is not one of the {len(declared)} declared groups"
            )
        return ids
    index = {name: i for i, name in enumerate(declared)}
    unknown = sorted({name for name in groups if name not in index})
    if unknown:
        raise DataError(f"group {unknown[0]!r} is not one of the declared groups {list(declared)}")
    return torch.tensor([index[name] for name in groups], dtype=torch.long, device=device)


def group_entropies(
    entropies: Tensor, groups: Groups, *, declared: Sequence[str] = GROUPS
) -> Tensor:
    """Returns the mean entropy of every declared group, [G] in nats.

    Raises:
        DataError: shapes differ, or a declared group has no sample: a batch with one side missing
            has no gap, and 0 would be a lie.
    """
    ids = group_ids(groups, declared, device=entropies.device)
    if ids.shape != entropies.shape:
        raise DataError(f"{tuple(entropies.shape)} entropies but {tuple(ids.shape)} group labels")
    counts = torch.bincount(ids, minlength=len(declared))
    if bool((counts == 0).any()):
        missing = declared[int((counts == 0).nonzero()[0])]
        raise DataError(
            f"the batch has no sample of group {missing!r}: a gap needs every declared group; "
            "batches are to be made of whole pairs"
        )
    total = torch.zeros(len(declared), dtype=entropies.dtype, device=entropies.device)
    return total.index_add(0, ids, entropies) / counts


def signed_gap(entropies: Tensor, groups: Groups) -> Tensor:
    """Returns H_female - H_male, a scalar in nats; 0 means equally certain."""
    h = group_entropies(entropies, groups)
    return h[0] - h[1]


def group_gap(entropies: Tensor, groups: Groups, *, norm: str = "l2", scale: float = 1.0) -> Tensor:
    """Returns `scale * (H_f - H_m)^2` (`l2`) or `scale * |H_f - H_m|` (`l1`); 0 means no gap.

    The "pure debiasing" loss. As an estimate of the squared gap it is biased upwards by the
    sampling variance of the batch, `E[g^2] = gap^2 + Var`; see `pair_gap`.
    """
    gap = signed_gap(entropies, groups)
    if norm == "l2":
        return scale * gap.square()
    if norm == "l1":
        return scale * gap.abs()
    raise DataError(f"norm must be 'l1' or 'l2', not {norm!r}")


def gee(entropies: Tensor, groups: Groups, *, lambda_: float = 3.0) -> Tensor:
    """Returns `H + lambda_ * sum_g (H_g - H)^2` with H the mean of the group entropies.

    Group Entropy Equalization. It also lowers the entropy itself: 0 only when every answer is
    certain.
    """
    h = group_entropies(entropies, groups)
    mean = h.mean()
    return mean + lambda_ * (h - mean).square().sum()


def em(entropies: Tensor, groups: Groups) -> Tensor:
    """Returns the mean of the group entropies: entropy minimisation, blind to the gap."""
    return group_entropies(entropies, groups).mean()


def pair_differences(entropies: Tensor, groups: Groups, *, pairs: Tensor | None = None) -> Tensor:
    """Returns d_i = mean h of the female side - mean h of the male side, [pairs], in nats.

    Args:
        entropies: [n].
        groups: of each sample.
        pairs: the pair of each sample, 0 .. P-1. Without it the k-th female sample is paired with
            the k-th male one.

    Raises:
        DataError: a pair with one side only.
    """
    ids = group_ids(groups, device=entropies.device)
    group_entropies(entropies, ids)  # both sides present, shapes agree
    if pairs is None:
        female, male = entropies[ids == 0], entropies[ids == 1]
        if len(female) != len(male):
            raise DataError(
                f"{len(female)} female and {len(male)} male samples cannot be paired in order; "
                "give `pairs`"
            )
        return female - male
    num_pairs = int(pairs.max()) + 1
    cell = pairs.to(entropies.device) * 2 + ids
    counts = torch.bincount(cell, minlength=2 * num_pairs)
    if bool((counts == 0).any()):
        lone = int((counts == 0).nonzero()[0]) // 2
        raise DataError(f"pair {lone} lacks one side")
    total = torch.zeros(2 * num_pairs, dtype=entropies.dtype, device=entropies.device)
    mean = (total.index_add(0, cell, entropies) / counts).view(num_pairs, 2)
    return mean[:, 0] - mean[:, 1]


def _unbiased_square(differences: Tensor) -> Tensor:
    n = differences.numel()
    if n < 2:
        raise DataError(f"an unbiased squared gap needs at least 2 pairs in a batch, not {n}")
    return (differences.sum().square() - differences.square().sum()) / (n * (n - 1))


def pair_gap(
    entropies: Tensor, groups: Groups, *, pairs: Tensor | None = None, scale: float = 1.0
) -> Tensor:
    """Returns the unbiased squared gap `((sum d)^2 - sum d^2) / (n (n-1))`, times `scale`.

    A U-statistic over pairs: its mean is the squared gap itself, without the `Var/n` that the plain
    square adds, so it can be negative in a single batch.
    """
    return scale * _unbiased_square(pair_differences(entropies, groups, pairs=pairs))


def direct_gap(
    entropies: Tensor, groups: Groups, *, answers: Tensor | None = None, scale: float = 1.0
) -> Tensor:
    """Returns `scale * mean over answers of (h(y|x_f) - h(y|x_m))^2`.

    Args:
        entropies: [n], every answer scored under both prompts of its pair.
        groups: the group of the *prompt* that each row was scored under.
        answers: the answer of each row, 0 .. A-1; two rows an answer. Without it the k-th female
            row and the k-th male one are taken to hold the same answer.
        scale: factor.

    The tokens are the same on both sides, only the marker differs: no sampling noise between them.
    """
    direct = pair_differences(entropies, groups, pairs=answers)
    return scale * direct.square().mean()


def constrained(
    entropies: Tensor,
    groups: Groups,
    *,
    multiplier: float = 0.0,
    rho: float = 20.0,
    pairs: Tensor | None = None,
) -> Tensor:
    """Returns the augmented Lagrangian of the constraint gap = 0: `lambda*g + rho/2 * g^2`.

    The square is the unbiased one. The objective that it constrains, KL to the reference, is added
    as an anchor per sample; the multiplier is updated after each step, `lambda += eta * g`.

    Source: Nocedal and Wright, Numerical Optimization, section 17.3.
    """
    differences = pair_differences(entropies, groups, pairs=pairs)
    return multiplier * differences.mean() + 0.5 * rho * _unbiased_square(differences)
