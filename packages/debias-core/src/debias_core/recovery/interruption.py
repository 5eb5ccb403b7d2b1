"""Stops a training run after the step it is in, when the process is asked to end.

    with stop_on_signals() as stop:
        trainer.fit(train, dev, checkpoints="checkpoints", should_stop=stop)

A library does not take over signals by itself, so this is a context of its own. The first SIGINT
or SIGTERM lets the step finish; `fit` then saves the state and raises `InterruptedTraining`, which
says how to go on. A second one interrupts at once, and the newest checkpoint is what is left.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from debias_core.errors import ConfigError

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether somebody asked for a stop: what `fit(should_stop=...)` takes.

    Attributes:
        received: the signal that asked, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def __call__(self) -> bool:
        """Returns whether to stop after this step."""
        return self.received is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Is the signal handler: notes the first signal, interrupts at the second."""
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)


@contextlib.contextmanager
def stop_on_signals(signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[StopRequest]:
    """Gives a `StopRequest` that the signals set while the block runs; puts the old handlers back.

    Raises:
        ConfigError: not in the main thread, where Python delivers signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            "stop_on_signals works in the main thread only: Python delivers signals there; pass "
            "should_stop a function of your own"
        )
    request = StopRequest()
    before = {number: signal.signal(number, request.handle) for number in signals}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
