"""A report of one primary candidate and others beside it, as they are.

- :mod:`.inputs`: what a report is made of.
- :mod:`.wording`: numbers and verdicts as people read them.
- :mod:`.cells`, :mod:`.tables` and :mod:`.gap_table`: every table, once, for all formats.
- :mod:`.scene` and :mod:`.figures`: pictures, described once, drawn as SVG and PNG.
- :mod:`.html`, :mod:`.markdown`, :mod:`.model_card`: the formats.
- :mod:`.writing`: all files of a report.

Names are loaded on first use; importing the package imports neither jinja2 nor matplotlib.
"""

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.report.inputs import NamedComparison, ReportInput
    from debias_eval.report.model_card import ModelCard, write_model_card
    from debias_eval.report.writing import ReportPaths, write_report

_HOME = {
    "ModelCard": "model_card",
    "NamedComparison": "inputs",
    "ReportInput": "inputs",
    "ReportPaths": "writing",
    "write_model_card": "model_card",
    "write_report": "writing",
}

__all__ = [
    "ModelCard",
    "NamedComparison",
    "ReportInput",
    "ReportPaths",
    "write_model_card",
    "write_report",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
