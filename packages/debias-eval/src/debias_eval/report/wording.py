"""Numbers and verdicts as people read them; the same words in every format."""

from __future__ import annotations

from typing import Literal

from debias_eval.comparison.benchmarks import BenchmarkComparison
from debias_eval.comparison.comparing import Comparison
from debias_eval.statistics.intervals import Estimate

Tone = Literal["good", "bad", "open", "plain"]
"""How a verdict is marked: by a word and a sign first, by colour second."""

MISSING = "not measured"
_MINUS = "\N{MINUS SIGN}"

CHANGE_WORDS: dict[str, tuple[str, Tone]] = {
    "improved": ("improved", "good"),
    "worse": ("worse", "bad"),
    "no_difference_shown": ("no difference shown", "open"),
    "inconclusive": ("inconclusive", "open"),
}
KEPT_WORDS: dict[str, tuple[str, Tone]] = {
    "preserved": ("preserved", "good"),
    "dropped": ("dropped", "bad"),
    "inconclusive": ("inconclusive", "open"),
    "cannot_be_shown": ("cannot be shown", "open"),
}
CRITERION_WORDS: dict[str, tuple[str, Tone]] = {
    "met": ("met", "good"),
    "not_met": ("not met", "bad"),
    "not_shown": ("not shown", "open"),
    "not_measured": (MISSING, "plain"),
}
GAP_WORDS: dict[str, tuple[str, Tone]] = {
    "equivalent": ("equivalent to zero", "good"),
    "different": ("different from zero", "bad"),
    "inconclusive": ("inconclusive", "open"),
}


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign and a true minus; what rounds to 0 has no sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0.0:
        return text
    return f"{'+' if value > 0 else _MINUS}{text}"


def plain(value: float, digits: int = 3) -> str:
    """Return a number with a true minus."""
    return signed(value, digits).removeprefix("+")


def percent(value: float, digits: int = 1, *, sign: bool = False) -> str:
    """Return a share as a percentage."""
    return (signed if sign else plain)(100 * value, digits) + "%"


def points(estimate: Estimate) -> str:
    """Return a difference of scores in percentage points with its interval."""
    scaled = estimate.scaled(100)
    return f"{signed(scaled.value, 1)} pp {interval(scaled.low, scaled.high, 1)}"


def interval(low: float, high: float, digits: int = 3, *, sign: bool = True) -> str:
    """Return ``[low, high]``; an infinite bound reads as such."""

    def bound(value: float) -> str:
        if value in (float("inf"), float("-inf")):
            return f"{_MINUS if value < 0 else ''}∞"
        return (signed if sign else plain)(value, digits)

    return f"[{bound(low)}, {bound(high)}]"


def nats(estimate: Estimate | None, *, sign: bool = True) -> str:
    """Return an entropy in nats with its interval."""
    if estimate is None:
        return "not available"
    number = (signed if sign else plain)(estimate.value)
    return f"{number} {interval(estimate.low, estimate.high, sign=sign)}"


def share(estimate: Estimate | None, *, sign: bool = False) -> str:
    """Return a share as a percentage with its interval."""
    if estimate is None:
        return MISSING
    scaled = estimate.scaled(100)
    number = percent(estimate.value, sign=sign)
    return f"{number} {interval(scaled.low, scaled.high, 1, sign=sign)}"


def p_value(p: float | None) -> str:
    """Return a p value; tiny ones as a bound."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def status(comparison: Comparison) -> tuple[str, Tone]:
    """Return the overall finding on the criteria in a few words."""
    if comparison.met:
        return "All success criteria are met", "good"
    verdicts = {criterion.verdict for criterion in comparison.criteria}
    if "not_met" in verdicts:
        return "The success criteria are not met", "bad"
    if "not_shown" in verdicts:
        return "The success criteria are not shown to be met", "open"
    return "Not all success criteria were measured", "open"


def headline(comparison: Comparison) -> str:
    """Return the verdict in one or two sentences, every number with its interval."""
    parts = (
        _gap_sentence(comparison),
        _bias_sentence(comparison),
        _capability_sentence(comparison),
    )
    return " ".join(part for part in parts if part)


def _gap_sentence(comparison: Comparison) -> str:
    gap = comparison.gap
    if gap is None:
        return "The entropy gap was not compared."
    before, after = nats(gap.before.gap), nats(gap.after.gap)
    margin = f"±{comparison.gap_margin:g} nats"
    if gap.change.verdict == "improved":
        end = f"{_position(gap.after.gap, comparison.gap_margin)} {margin}"
        return f"The entropy gap went from {before} to {after} nats, {end}."
    if gap.change.verdict == "worse":
        return f"The entropy gap grew, from {before} to {after} nats."
    if not gap.before.gap.excludes(0.0):
        return (
            f"The original's entropy gap, {before} nats, cannot be told from 0, so nothing could "
            f"have been improved; it is now {after}."
        )
    if gap.change.verdict == "no_difference_shown":
        return f"No difference in the entropy gap is shown: {before} before, {after} nats after."
    return f"Whether the entropy gap changed stays open: {before} before, {after} nats after."


_BIAS_WORDS = {
    "improved": "less bias on",
    "worse": "more bias on",
    "inconclusive": "no change shown on",
}


def _bias_sentence(comparison: Comparison) -> str:
    """Return what became of the bias suites beside the gap; empty where none was paired."""
    groups: dict[str, list[str]] = {}
    for entry in comparison.benchmarks:
        if entry.bias_test is not None and entry.kind == "bias":
            groups.setdefault(entry.bias_test.verdict, []).append(entry.name)
    parts = [
        f"{text} {', '.join(groups[key])}" for key, text in _BIAS_WORDS.items() if key in groups
    ]
    return f"Bias suites: {'; '.join(parts)}." if parts else ""


def _position(gap: Estimate, margin: float) -> str:
    if gap.within(margin):
        return "all inside"
    is_outside = gap.low >= margin or gap.high <= -margin
    return "still outside" if is_outside else "not shown to be inside"


def _capability_sentence(comparison: Comparison) -> str:
    main = [entry for entry in comparison.benchmarks if entry.is_capability]
    if not main:
        return "No capability was measured."
    groups: dict[str, list[str]] = {}
    for entry in main:
        groups.setdefault(_kept(entry), []).append(entry.name)
    if list(groups) == ["preserved"]:
        noun = "the benchmark" if len(main) == 1 else f"all {len(main)} benchmarks"
        return f"Capability is kept within {comparison.margin:.0%} on {noun}."
    words = {
        "dropped": f"fell by more than {comparison.margin:.0%} on",
        "inconclusive": "is inconclusive on",
        "cannot_be_shown": "cannot be shown on",
        "not_comparable": "is not comparable on",
        "preserved": f"is kept within {comparison.margin:.0%} on",
    }
    parts = [f"{text} {', '.join(groups[key])}" for key, text in words.items() if key in groups]
    return f"Capability {'; it '.join(parts)}."


def _kept(entry: BenchmarkComparison) -> str:
    return "not_comparable" if entry.test is None else entry.test.kept.verdict
