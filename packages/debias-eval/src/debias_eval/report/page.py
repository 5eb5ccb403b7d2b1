"""How every page is made: one template engine that escapes, one way to put a picture in."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from debias_eval.report.scene import Scene, to_svg

# What stands in brackets is an interval; it reads badly with its bounds on two lines.
_INTERVAL = re.compile(r"\[[^\[\]]{1,40}\]")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def render(template: str, **values: object) -> str:
    """Return a page; every value is escaped by the template engine."""
    return _environment().get_template(template).render(**values)


def figure(scene: Scene | None) -> Markup | None:
    """Return a picture as markup; None where there is none."""
    # The SVG comes out of an XML serialiser, which escaped every text in it.
    return None if scene is None else Markup(to_svg(scene, themed=True))  # noqa: S704


def keep_intervals(text: str) -> str:
    """Return ``text`` with no line break inside ``[low, high]``."""
    return _INTERVAL.sub(lambda found: found[0].replace(" ", _NO_BREAK), text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("debias_eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["keep_intervals"] = keep_intervals
    return environment
