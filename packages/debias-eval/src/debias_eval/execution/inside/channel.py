"""Length-prefixed JSON frames over a stream socket, with a cap, and with file descriptors."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from debias_eval.execution.inside.values import MAX_BYTES, MalformedError, ValueTooLargeError

_HEADER = struct.Struct(">I")
_dumps = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class ChannelClosedError(Exception):
    """The other end went away in the middle of an exchange."""


def _no_constants(text: str) -> Any:
    raise MalformedError(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constants)


class Channel:
    """One end of a frame stream.

    Args:
        sock: a connected stream socket; owned by the channel.
        max_bytes: frames larger than this are refused by sender and receiver alike.
    """

    def __init__(self, sock: socket.socket, *, max_bytes: int = MAX_BYTES) -> None:
        self._sock = sock
        self._max_bytes = max_bytes

    def fileno(self) -> int:
        """Return the descriptor, for polling."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def settimeout(self, seconds: float | None) -> None:
        """Bound each following socket operation; they raise `TimeoutError`."""
        self._sock.settimeout(seconds)

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Send one frame, with descriptors if any.

        Raises:
            ValueTooLargeError: the frame exceeds the cap.
            ChannelClosedError: the other end is gone.
        """
        data = _dumps(message).encode("ascii")
        if len(data) > self._max_bytes:
            raise ValueTooLargeError(f"a frame of {len(data)} bytes")
        header = _HEADER.pack(len(data))
        try:
            if fds:
                socket.send_fds(self._sock, [header], list(fds))
                self._sock.sendall(data)
            else:
                self._sock.sendall(header + data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosedError("the other end is gone") from error

    def recv(self) -> dict[str, Any]:
        """Return the next frame.

        Raises:
            MalformedError: too long, or not a JSON object.
            ChannelClosedError: the stream ended.
        """
        return self._parse(self._exactly(_HEADER.size))

    def recv_with_fds(self, max_fds: int = 4) -> tuple[dict[str, Any], list[int]]:
        """Return the next frame and the descriptors that came with it."""
        try:
            first, fds, _flags, _addr = socket.recv_fds(self._sock, _HEADER.size, max_fds)
        except ConnectionResetError as error:
            raise ChannelClosedError("the other end is gone") from error
        if not first:
            raise ChannelClosedError("the stream ended")
        header = first + self._exactly(_HEADER.size - len(first))
        return self._parse(header), list(fds)

    def _parse(self, header: bytes) -> dict[str, Any]:
        (size,) = _HEADER.unpack(header)
        if size > self._max_bytes:
            raise MalformedError(f"a frame of {size} bytes is announced")
        data = self._exactly(size)
        try:
            message = _decoder.decode(data.decode("ascii"))
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"not JSON: {type(error).__name__}") from None
        if type(message) is not dict:
            raise MalformedError("not a JSON object")
        return message

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._sock.recv(min(size - len(parts), 1 << 20))
            except ConnectionResetError as error:
                raise ChannelClosedError("the other end is gone") from error
            if not part:
                raise ChannelClosedError("the stream ended")
            parts += part
        return bytes(parts)
