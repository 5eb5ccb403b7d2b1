"""Intervals, paired tests and the statistics of the entropy gap.

Names are loaded on first use, so that importing the package does not import numpy or scipy:

- :mod:`.intervals`: what an interval and an estimate are; Wilson's interval.
- :mod:`.bootstrap`: cluster bootstrap of means, paired or not.
- :mod:`.moments`: scores that are functions of sums, alone and before against after.
- :mod:`.permutation`: permutation tests.
- :mod:`.significance`: McNemar, TOST, Holm.
- :mod:`.proportions`: score interval of paired proportions, non-inferiority.
- :mod:`.power`: resolution and sample size.
- :mod:`.gap` and :mod:`.gap_change`: one entropy gap, and two of them; :mod:`.groups`: more than
  two groups.
"""

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.statistics.bootstrap import (
        Bootstrap,
        cluster_bootstrap,
        paired_bootstrap,
        vectorized_bootstrap,
    )
    from debias_eval.statistics.errors import StatisticsError
    from debias_eval.statistics.gap import GapStatistics, PairEntropies, gap_statistics
    from debias_eval.statistics.gap_change import GapChange, compare_gaps
    from debias_eval.statistics.groups import GroupEntropies, GroupGaps, group_gaps
    from debias_eval.statistics.intervals import (
        Estimate,
        Interval,
        difference_of_estimates,
        wilson_interval,
    )
    from debias_eval.statistics.moments import ScoreChange, change_of_score, moment_bootstrap
    from debias_eval.statistics.permutation import sign_flip_p, swap_p
    from debias_eval.statistics.power import minimum_detectable_difference
    from debias_eval.statistics.proportions import (
        NonInferiority,
        non_inferiority,
        paired_score_interval,
    )
    from debias_eval.statistics.significance import Tost, holm, mcnemar_exact, tost

_HOME = {
    "Bootstrap": "bootstrap",
    "Estimate": "intervals",
    "GapChange": "gap_change",
    "GapStatistics": "gap",
    "GroupEntropies": "groups",
    "GroupGaps": "groups",
    "Interval": "intervals",
    "NonInferiority": "proportions",
    "PairEntropies": "gap",
    "ScoreChange": "moments",
    "StatisticsError": "errors",
    "Tost": "significance",
    "change_of_score": "moments",
    "cluster_bootstrap": "bootstrap",
    "compare_gaps": "gap_change",
    "difference_of_estimates": "intervals",
    "gap_statistics": "gap",
    "group_gaps": "groups",
    "holm": "significance",
    "mcnemar_exact": "significance",
    "minimum_detectable_difference": "power",
    "moment_bootstrap": "moments",
    "non_inferiority": "proportions",
    "paired_bootstrap": "bootstrap",
    "paired_score_interval": "proportions",
    "sign_flip_p": "permutation",
    "swap_p": "permutation",
    "tost": "significance",
    "vectorized_bootstrap": "bootstrap",
    "wilson_interval": "intervals",
}

__all__ = [
    "Bootstrap",
    "Estimate",
    "GapChange",
    "GapStatistics",
    "GroupEntropies",
    "GroupGaps",
    "Interval",
    "NonInferiority",
    "PairEntropies",
    "ScoreChange",
    "StatisticsError",
    "Tost",
    "change_of_score",
    "cluster_bootstrap",
    "compare_gaps",
    "difference_of_estimates",
    "gap_statistics",
    "group_gaps",
    "holm",
    "mcnemar_exact",
    "minimum_detectable_difference",
    "moment_bootstrap",
    "non_inferiority",
    "paired_bootstrap",
    "paired_score_interval",
    "sign_flip_p",
    "swap_p",
    "tost",
    "vectorized_bootstrap",
    "wilson_interval",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
