"""Reports: a primary candidate with others beside it, as they are; or one model alone.

- :mod:`.inputs`: what a report is made of.
- :mod:`.wording`: numbers and verdicts as people read them.
- :mod:`.cells`, :mod:`.tables`, :mod:`.gap_table`, :mod:`.bias_table` and :mod:`.changed_table`:
  every table, once, for all formats.
- :mod:`.scene`, :mod:`.axes`, :mod:`.gap_figure` and :mod:`.figures`: pictures, described once,
  drawn as SVG and PNG.
- :mod:`.page`, :mod:`.html`, :mod:`.markdown`, :mod:`.model_card`: the formats.
- :mod:`.writing`: all files of a report.
- :mod:`.model_input`, :mod:`.model_tables` and :mod:`.model_page`: one model alone.

Names are loaded on first use; importing the package imports neither jinja2 nor matplotlib.
"""

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.report.inputs import NamedComparison, ReportInput
    from debias_eval.report.model_card import ModelCard, write_model_card
    from debias_eval.report.model_input import ModelReport, model_report
    from debias_eval.report.model_page import write_model_report
    from debias_eval.report.writing import ReportPaths, write_report

_HOME = {
    "ModelCard": "model_card",
    "ModelReport": "model_input",
    "NamedComparison": "inputs",
    "ReportInput": "inputs",
    "ReportPaths": "writing",
    "model_report": "model_input",
    "write_model_card": "model_card",
    "write_model_report": "model_page",
    "write_report": "writing",
}

__all__ = [
    "ModelCard",
    "ModelReport",
    "NamedComparison",
    "ReportInput",
    "ReportPaths",
    "model_report",
    "write_model_card",
    "write_model_report",
    "write_report",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
