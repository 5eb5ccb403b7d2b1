"""What is shown of a training while it runs.

A look at the held-out pairs knows entropies and KL, not whether answers are right: grading them is
debias-eval's, and happens after training. Of what an accuracy would show, a look has the share of
answers that were cut off at the length limit and of those that are empty.
"""

from __future__ import annotations

from debias_cli.stages.context import StageContext
from debias_core.training.heldout import DevEvaluation
from debias_core.training.progress import StepLog


class Watcher:
    """Turns steps and looks into progress and the live line."""

    def __init__(self, context: StageContext, *, max_steps: int) -> None:
        self._reporter, self._max_steps = context.reporter, max_steps
        self._step, self._look = "", ""

    def __call__(self, event: StepLog | DevEvaluation) -> None:
        """Takes one event of the trainer."""
        if isinstance(event, StepLog):
            self._reporter.progress("steps", event.step, self._max_steps)
            self._step = f"batch gap {event.gap:+.3f}, loss {event.loss:.4f}"
        else:
            found = event.gap
            self._look = (
                f"held-out gap {found.gap:+.4f} [{found.low:+.4f}, {found.high:+.4f}] nats, "
                f"KL {event.kl:.4f}, cut off {event.truncated:.0%}, empty {event.empty:.0%} "
                f"at step {event.step}"
            )
        self._reporter.note(" · ".join(filter(None, (self._look, self._step))))
