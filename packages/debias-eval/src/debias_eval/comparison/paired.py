"""Answers that are right or wrong, two models, the same items: what the pairs say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from debias_eval.comparison.examples import ChangedItem
from debias_eval.comparison.loading import Outcomes
from debias_eval.statistics.bootstrap import Bootstrap, paired_bootstrap
from debias_eval.statistics.intervals import Estimate
from debias_eval.statistics.permutation import sign_flip_p
from debias_eval.statistics.proportions import NonInferiority, non_inferiority
from debias_eval.statistics.significance import mcnemar_exact


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What the paired items say.

    Attributes:
        kept: scores on the common items, their difference and whether the score was kept.
        bootstrap: candidate - baseline with its cluster-bootstrap interval, beside the score
            interval in ``kept`` that the verdict rests on.
        p: two-sided p of "no difference": exact McNemar for one answer an item, else sign-flip.
        p_holm: the same, adjusted over all benchmarks of the comparison.
        gained: items that the candidate does better, by id.
        lost: items that the baseline does better, by id.
        num_items: items that count for both.
        num_samples: most samples of one item.
        num_excluded: items left out on either side because of the data or the machine.
        examples: the first gained and lost items with what both models wrote.
    """

    kept: NonInferiority
    bootstrap: Estimate
    p: float
    p_holm: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    num_items: int
    num_samples: int
    num_excluded: int
    examples: tuple[ChangedItem, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            **self.kept.to_dict(),
            "bootstrap": self.bootstrap.to_dict(),
            "p_difference": self.p,
            "p_holm": self.p_holm,
            "gained": list(self.gained),
            "lost": list(self.lost),
            "num_items": self.num_items,
            "num_samples": self.num_samples,
            "num_excluded": self.num_excluded,
            "examples": [item.to_dict() for item in self.examples],
        }


def paired_test(before: Outcomes, after: Outcomes, margin: float, plan: Bootstrap) -> PairedTest:
    """Return what the items that count for both say; not adjusted for other benchmarks.

    Args:
        before: outcomes of the original.
        after: outcomes of the candidate on the same items, at least one of them counted for both.
        margin: acceptable drop as a share of the original's score.
        plan: resamples and seed.
    """
    items = sorted(before.shares.keys() & after.shares.keys())
    first = np.array([before.shares[item] for item in items])
    second = np.array([after.shares[item] for item in items])
    clusters = [before.clusters[item] for item in items]
    gained = tuple(item for item, a, b in zip(items, first, second, strict=True) if b > a)
    lost = tuple(item for item, a, b in zip(items, first, second, strict=True) if b < a)
    num_samples = max(before.num_samples, after.num_samples)
    if num_samples == 1 and len(set(clusters)) == len(items):
        p = mcnemar_exact(len(lost), len(gained))
    else:
        p = sign_flip_p(second - first, clusters, permutations=plan.resamples, seed=plan.seed)
    return PairedTest(
        kept=non_inferiority(
            first,
            second,
            margin_relative=margin,
            clusters=clusters,
            confidence=plan.confidence,
        ),
        bootstrap=paired_bootstrap(first, second, clusters=clusters, plan=plan),
        p=p,
        p_holm=p,
        gained=gained,
        lost=lost,
        num_items=len(items),
        num_samples=num_samples,
        num_excluded=len(before.excluded | after.excluded),
    )
