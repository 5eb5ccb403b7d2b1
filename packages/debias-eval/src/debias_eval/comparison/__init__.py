"""Two models on the same items: what was gained, what was lost, and what can be claimed.

- :mod:`.loading`: reads what two evaluations left in their folders.
- :mod:`.benchmarks`: one benchmark; :mod:`.paired`: answers right or wrong, item by item;
  :mod:`.examples`: what both models wrote where they differ.
- :mod:`.clustered`: one bias suite, paired by cluster.
- :mod:`.gaps`: the entropy gap, paired.
- :mod:`.criteria`: the three success criteria.
- :mod:`.score`: the 40/25/25/10 score.
- :mod:`.comparing`: all of it together.

Names are loaded on first use; importing the package does not import numpy or scipy.
"""

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.comparison.benchmarks import BenchmarkComparison
    from debias_eval.comparison.clustered import ClusteredTest
    from debias_eval.comparison.comparing import Comparison, compare
    from debias_eval.comparison.criteria import Criterion, TrainingCost
    from debias_eval.comparison.gaps import GapComparison
    from debias_eval.comparison.score import Score, ScorePart

_HOME = {
    "BenchmarkComparison": "benchmarks",
    "ClusteredTest": "clustered",
    "Comparison": "comparing",
    "Criterion": "criteria",
    "GapComparison": "gaps",
    "Score": "score",
    "ScorePart": "score",
    "TrainingCost": "criteria",
    "compare": "comparing",
}

__all__ = [
    "BenchmarkComparison",
    "ClusteredTest",
    "Comparison",
    "Criterion",
    "GapComparison",
    "Score",
    "ScorePart",
    "TrainingCost",
    "compare",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
