"""The ``gsm8k`` profile: the answer check published with GSM8K (Cobbe et al., 2021).

The number behind the last ``####`` (lm-evaluation-harness's strict-match filter), without commas
and dollar signs, compared as text. Where a response has no ``####``, its last number counts
(the harness's flexible-extract filter).
"""

from __future__ import annotations

import re

_STRICT = re.compile(r"#### (-?[0-9.,]+)")
_FLEXIBLE = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")


def extract(response: str) -> str | None:
    """The number behind ``####``, else the last number; None where there is none."""
    found = _STRICT.findall(response) or _FLEXIBLE.findall(response)
    return normalize(found[-1]) if found else None


def normalize(answer: str) -> str:
    """The harness's ``regexes_to_ignore``: commas, dollar signs, a trailing full stop."""
    answer = answer.rsplit("#### ", maxsplit=1)[-1]
    return answer.replace(",", "").replace("$", "").removesuffix(".").strip().lower()


def equal(reference: str, prediction: str) -> bool:
    """Equality as text: 18 and 18.00 are different under this profile."""
    return reference == prediction
