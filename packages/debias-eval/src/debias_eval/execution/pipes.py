"""The judge's ends of a script's pipes: feed its input, keep what it prints, never wait for it."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Self

_CHUNK = 1 << 18


class Pipes:
    """Standard input and output of a process that is not trusted to read or to stop writing.

    Attributes:
        theirs: the descriptors to hand over, input then output; `handed_over` closes them here.
        overflow: whether more was printed than is kept.

    Args:
        text: what the process may read; lone surrogates are escaped.
        keep: bytes of its output that are kept; more sets `overflow`.
    """

    def __init__(self, text: str, keep: int) -> None:
        read_in, self._write_in = os.pipe()
        self._read_out, write_out = os.pipe()
        self.theirs: tuple[int, ...] = (read_in, write_out)
        self.overflow = False
        self._left = memoryview(text.encode("utf-8", "backslashreplace"))
        self._kept = bytearray()
        self._keep = keep
        self._open = {self._write_in, self._read_out}
        for fd in self._open:
            os.set_blocking(fd, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        self.handed_over()
        for fd in list(self._open):
            self._close(fd)

    def handed_over(self) -> None:
        """Close the other side's ends, once it has its own copies."""
        for fd in self.theirs:
            os.close(fd)
        self.theirs = ()

    def exchange(self, until: int, seconds: float) -> bool:
        """Feed and read until descriptor `until` is readable; return False on overflow.

        `until` is the channel of the supervisor, which bounds the time; `seconds` is for one that
        hangs.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            poller = select.poll()
            poller.register(until, select.POLLIN)
            if self._write_in in self._open:
                poller.register(self._write_in, select.POLLOUT)
            if self._read_out in self._open:
                poller.register(self._read_out, select.POLLIN)
            ready = {fd for fd, _event in poller.poll(1000)}
            if self._write_in in ready:
                self._feed()
            if self._read_out in ready:
                self._read()
            if self.overflow:
                return False
            if until in ready:
                break
        return True

    def output(self) -> str:
        """Return what was printed, after the process has ended."""
        while self._read_out in self._open and not self.overflow:
            if not self._read():
                break
        return self._kept.decode("utf-8", "replace")

    def _feed(self) -> None:
        try:
            done = os.write(self._write_in, self._left[:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not care for the rest
            self._close(self._write_in)
            return
        self._left = self._left[done:]
        if not self._left:
            self._close(self._write_in)

    def _read(self) -> bool:
        """Read once; return whether there may be more."""
        try:
            data = os.read(self._read_out, _CHUNK)
        except BlockingIOError:
            return False
        self._kept += data
        self.overflow = len(self._kept) > self._keep
        if not data:
            self._close(self._read_out)
        return bool(data)

    def _close(self, fd: int) -> None:
        self._open.discard(fd)
        with contextlib.suppress(OSError):
            os.close(fd)
