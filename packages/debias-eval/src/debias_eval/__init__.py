"""Honest maths, code and gender-bias benchmarks for causal language models, with intervals.

Names are loaded on first use: importing the package imports neither torch nor scipy.
"""

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.audit import audit_template
    from debias_eval.backends.base import BackendSettings
    from debias_eval.comparison import compare
    from debias_eval.doctor import check_tasks
    from debias_eval.errors import DebiasEvalError
    from debias_eval.evaluation import EvalSettings, evaluate, grade, regrade
    from debias_eval.grading import grade_answer
    from debias_eval.preparing import TaskSpec
    from debias_eval.protocol import Protocol, Sampling
    from debias_eval.results import BenchmarkResult, Results, load_results
    from debias_eval.tasks.base import GradeSettings

__version__ = "0.1.0"

_HOME = {
    "BackendSettings": "backends.base",
    "BenchmarkResult": "results",
    "DebiasEvalError": "errors",
    "EvalSettings": "evaluation",
    "GradeSettings": "tasks.base",
    "Protocol": "protocol",
    "Results": "results",
    "Sampling": "protocol",
    "TaskSpec": "preparing",
    "audit_template": "audit",
    "check_tasks": "doctor",
    "compare": "comparison",
    "evaluate": "evaluation",
    "grade": "evaluation",
    "grade_answer": "grading",
    "load_results": "results",
    "regrade": "evaluation",
}

__all__ = [
    "BackendSettings",
    "BenchmarkResult",
    "DebiasEvalError",
    "EvalSettings",
    "GradeSettings",
    "Protocol",
    "Results",
    "Sampling",
    "TaskSpec",
    "audit_template",
    "check_tasks",
    "compare",
    "evaluate",
    "grade",
    "grade_answer",
    "load_results",
    "regrade",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
