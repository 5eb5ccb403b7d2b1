"""What is shown of a training while it runs."""

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
            right = "" if event.accuracy is None else f"right {event.accuracy:.0%}, "
            self._look = (
                f"held-out gap {found.gap:+.4f} [{found.low:+.4f}, {found.high:+.4f}] nats, "
                f"KL {event.kl:.4f}, {right}cut off {event.truncated:.0%}, "
                f"empty {event.empty:.0%} at step {event.step}"
            )
        self._reporter.note(" · ".join(filter(None, (self._look, self._step))))
