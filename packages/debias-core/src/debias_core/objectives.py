"""What can be minimised: pure functions of sample entropies and group ids.

Every function takes `entropies` [n], the mean token entropy of each sampled answer in nats, and
`groups`, the group of each: a sequence of names out of `declared`, or a tensor of indices into it.
With two groups the gap is signed, first declared group minus second (female minus male). With more,
a group's gap is its deviation from the mean of the group means, scaled so that two groups give the
same values. All are differentiable in `entropies`; how the gradient reaches the weights is the
business of `debias_core.losses.gradient`.
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


def group_gaps(entropies: Tensor, groups: Groups, *, declared: Sequence[str] = GROUPS) -> Tensor:
    """Returns every group's mean entropy minus the mean of the group means, [G]; they sum to 0."""
    h = group_entropies(entropies, groups, declared=declared)
    return h - h.mean()


def group_gap(
    entropies: Tensor,
    groups: Groups,
    *,
    norm: str = "l2",
    scale: float = 1.0,
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns `scale * (H_f - H_m)^2` (`l2`) or `scale * |H_f - H_m|` (`l1`); 0 means no gap.

    The "pure debiasing" loss. As an estimate of the squared gap it is biased upwards by the
    sampling variance of the batch, `E[g^2] = gap^2 + Var`; see `pair_gap`. With G groups it is
    `2/(G-1)` times the sum of squared (`2/G` times the sum of absolute) gaps to their mean: the
    mean over pairs of groups of the squared difference.
    """
    gaps = group_gaps(entropies, groups, declared=declared)
    if norm == "l2":
        return scale * _over_groups(gaps.square())
    if norm == "l1":
        return scale * 2 * gaps.abs().mean()
    raise DataError(f"norm must be 'l1' or 'l2', not {norm!r}")


def _over_groups(squares: Tensor) -> Tensor:
    """Sums squared deviations [G] so that two groups, each half a gap away, give the gap's."""
    return squares.sum() * 2 / (len(squares) - 1)


def gee(
    entropies: Tensor,
    groups: Groups,
    *,
    lambda_: float = 3.0,
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns `H + lambda_ * sum_g (H_g - H)^2` with H the mean of the group entropies.

    Group Entropy Equalization. It also lowers the entropy itself: 0 only when every answer is
    certain.
    """
    h = group_entropies(entropies, groups, declared=declared)
    mean = h.mean()
    return mean + lambda_ * (h - mean).square().sum()


def em(entropies: Tensor, groups: Groups, *, declared: Sequence[str] = GROUPS) -> Tensor:
    """Returns the mean of the group entropies: entropy minimisation, blind to the gap."""
    return group_entropies(entropies, groups, declared=declared).mean()


def pair_entropies(
    entropies: Tensor,
    groups: Groups,
    *,
    pairs: Tensor | None = None,
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns the mean entropy of every side of every pair, [pairs, G] in nats.

    Args:
        entropies: [n].
        groups: of each sample.
        pairs: the pair of each sample, 0 .. P-1. Without it the k-th samples of the groups are a
            pair.
        declared: the groups, in the order of the columns.

    Raises:
        DataError: a pair that lacks a side.
    """
    ids = group_ids(groups, declared, device=entropies.device)
    group_entropies(entropies, ids, declared=declared)  # every side present, shapes agree
    sides = [entropies[ids == g] for g in range(len(declared))]
    if pairs is None:
        if len({len(side) for side in sides}) > 1:
            counted = " and ".join(
                f"{len(side)} {name}" for side, name in zip(sides, declared, strict=True)
            )
            raise DataError(f"{counted} samples cannot be paired in order; give `pairs`")
        return torch.stack(sides, dim=1)
    num_cells = (int(pairs.max()) + 1) * len(declared)
    cell = pairs.to(entropies.device) * len(declared) + ids
    counts = torch.bincount(cell, minlength=num_cells)
    if bool((counts == 0).any()):
        lone = int((counts == 0).nonzero()[0]) // len(declared)
        raise DataError(f"pair {lone} lacks one side")
    total = torch.zeros(num_cells, dtype=entropies.dtype, device=entropies.device)
    return (total.index_add(0, cell, entropies) / counts).view(-1, len(declared))


def pair_differences(entropies: Tensor, groups: Groups, *, pairs: Tensor | None = None) -> Tensor:
    """Returns d_i = mean h of the female side - mean h of the male side, [pairs], in nats."""
    h = pair_entropies(entropies, groups, pairs=pairs)
    return h[:, 0] - h[:, 1]


def _pair_gaps(
    entropies: Tensor, groups: Groups, pairs: Tensor | None, declared: Sequence[str]
) -> Tensor:
    h = pair_entropies(entropies, groups, pairs=pairs, declared=declared)
    return h - h.mean(dim=1, keepdim=True)


def _unbiased_square(differences: Tensor) -> Tensor:
    """Returns the U-statistic of the squared mean of every column of [pairs, G], [G]."""
    n = len(differences)
    if n < 2:
        raise DataError(f"an unbiased squared gap needs at least 2 pairs in a batch, not {n}")
    return (differences.sum(0).square() - differences.square().sum(0)) / (n * (n - 1))


def pair_gap(
    entropies: Tensor,
    groups: Groups,
    *,
    pairs: Tensor | None = None,
    scale: float = 1.0,
    estimator: str = "u_statistic",
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns the squared gap without the variance term that a plain square adds, times `scale`.

    Both estimators have the squared gap itself as their mean, so either can be negative in a single
    batch: `u_statistic` is `((sum d)^2 - sum d^2) / (n (n-1))`, which uses every product of two
    different pairs; `half_split` is the gap of the even pairs times that of the odd ones.
    """
    gaps = _pair_gaps(entropies, groups, pairs, declared)
    if estimator == "u_statistic":
        return scale * _over_groups(_unbiased_square(gaps))
    if estimator != "half_split":
        raise DataError(f"estimator must be 'u_statistic' or 'half_split', not {estimator!r}")
    if len(gaps) < 2:
        raise DataError(f"a half split needs at least 2 pairs in a batch, not {len(gaps)}")
    return scale * _over_groups(gaps[::2].mean(0) * gaps[1::2].mean(0))


def direct_gap(
    entropies: Tensor,
    groups: Groups,
    *,
    answers: Tensor | None = None,
    scale: float = 1.0,
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns `scale * mean over answers of (h(y|x_f) - h(y|x_m))^2`.

    Args:
        entropies: [n], every answer scored under every prompt of its pair.
        groups: the group of the *prompt* that each row was scored under.
        answers: the answer of each row, 0 .. A-1; one row a group and answer. Without it the k-th
            rows of the groups are taken to hold the same answer.
        scale: factor.
        declared: the groups.

    The tokens are the same on all sides, only the marker differs: no sampling noise between them.
    """
    direct = _pair_gaps(entropies, groups, answers, declared)
    return scale * _over_groups(direct.square().mean(0))


def constrained(
    entropies: Tensor,
    groups: Groups,
    *,
    multiplier: float | Sequence[float] = 0.0,
    rho: float = 80.0,
    pairs: Tensor | None = None,
    declared: Sequence[str] = GROUPS,
) -> Tensor:
    """Returns the augmented Lagrangian of the constraint gap = 0: `lambda*g + rho/2 * g^2`.

    The square is the unbiased one. The objective that it constrains, KL to the reference, is added
    as an anchor per sample; the multiplier is updated after each step, `lambda += eta * g`.

    Args:
        entropies: [n].
        groups: of each sample.
        multiplier: lambda of the signed gap of two groups; one a group, of its gap to the mean,
            where there are more.
        rho: weight of the square.
        pairs: the pair of each sample.
        declared: the groups.

    Source: Nocedal and Wright, Numerical Optimization, section 17.3.
    """
    gaps = _pair_gaps(entropies, groups, pairs, declared)
    # two groups lie half the gap from their mean, on either side
    multipliers = (multiplier, -multiplier) if isinstance(multiplier, float | int) else multiplier
    if len(multipliers) != len(declared):
        raise DataError(f"{len(declared)} groups need one multiplier each, not {len(multipliers)}")
    linear = gaps.mean(0) @ gaps.new_tensor(multipliers)
    return linear + 0.5 * rho * _over_groups(_unbiased_square(gaps))


def cda(logprobs: Tensor, lengths: Tensor) -> Tensor:
    """Returns the negative log-likelihood of reference answers, nats a token, over all sides.

    Counterfactual data augmentation: plain fine-tuning on every pair's text in all its forms.

    Args:
        logprobs: [n], summed over the tokens of each answer, nats.
        lengths: [n], tokens of each.

    Source: Lu et al., Gender Bias in Neural Natural Language Processing (2018).
    """
    return -logprobs.sum() / lengths.sum()


def consistency(divergences: Tensor, *, scale: float = 1.0) -> Tensor:
    """Returns `scale` times the mean symmetric KL between the sides, nats a token; 0 means alike.

    Args:
        divergences: [n], the mean over answer tokens of
            `KL(p(.|x_m) || p(.|x_f)) + KL(p(.|x_f) || p(.|x_m))`, halved.
        scale: factor.
    """
    return scale * divergences.mean()
