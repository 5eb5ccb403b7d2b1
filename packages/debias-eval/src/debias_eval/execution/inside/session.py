"""The test's side of the exchange: stubs that look like the solution and hold nothing of it.

A stub sends its arguments as plain values and returns a plain value. Objects without a plain form
stay with the solution; the test gets a `Remote`, which is equal to nothing but itself and has no
operators: `==`, `<`, `+`, `in` never reach the solution, so it cannot answer for the test.
"""

from __future__ import annotations

import builtins
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import (
    Decoder,
    Encoder,
    ForeignError,
    MalformedError,
    make_exception,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class ExchangeOverError(BaseException):
    """The exchange cannot go on: the worker died or broke the protocol.

    Not an `Exception`, so that tests which expect errors of the solution do not take it for one.
    """


class UnsplittableError(BaseException):
    """The test passes something that can exist in one process only."""


class Session:
    """Calls into the worker at the other end of `channel`.

    Attributes:
        calls: how many calls were answered.
        failure: why the exchange ended early (`died`, `protocol`), else None. Once set, no test
            can have passed, whatever the test code made of the exception.
    """

    def __init__(self, channel: Channel) -> None:
        self.calls = 0
        self.failure: str | None = None
        self.failure_detail = ""
        self._channel = channel
        self._callbacks: list[Callable[..., Any]] = []
        self._remotes: dict[int, Remote] = {}
        self._special: dict[str, Callable[[Any], Any]] = {"o": self._make_remote}

    def receive(self) -> dict[str, Any]:
        """Return the next frame of the worker; raises `ExchangeOverError`."""
        try:
            return self._channel.recv()
        except ChannelClosedError:
            self._over("died", "the solution's process ended")
        except MalformedError as error:
            self._over("protocol", str(error))

    def _over(self, failure: str, detail: str) -> NoReturn:
        self.failure = self.failure or failure
        self.failure_detail = self.failure_detail or detail
        raise ExchangeOverError(f"{failure}: {detail}")

    def describe(self, names: list[str]) -> dict[str, str]:
        """Return what each name is in the solution: function, class, value, module:…, missing."""
        kinds: object = self._request({"op": "describe", "names": names}).get("kinds")
        if not isinstance(kinds, dict):
            self._over("protocol", "no description of names")
        return {name: str(kinds.get(name, "missing")) for name in names}

    def call(self, target: str | int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the solution's function returns, raise what it raises.

        Containers that the solution changed in place are changed here too.
        """
        return self._call(target, args, kwargs, keep=False)

    def construct(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a handle of a new instance of the solution's class."""
        return self._call(target, args, kwargs, keep=True)

    def _call(
        self, target: str | int, args: tuple[Any, ...], kwargs: dict[str, Any], *, keep: bool
    ) -> Any:
        request = {
            "op": "call",
            "target": target,
            "args": [self.encode(arg) for arg in args],
            "kwargs": {name: self.encode(value) for name, value in kwargs.items()},
            "keep": keep,
        }
        reply = self._request(request)
        self.calls += 1
        value = self._value(reply)
        changed = reply.get("changed")
        if isinstance(changed, dict):
            for index, arg in enumerate(args):
                if str(index) in changed:
                    _update(arg, self._decode(changed[str(index)]))
        return value

    def attribute(self, handle: int, name: str) -> Any:
        """Return a data attribute of a remote object."""
        return self._value(self._request({"op": "get", "target": handle, "name": name}))

    def set_attribute(self, handle: int, name: str, value: Any) -> None:
        """Set an attribute of a remote object."""
        tree = self.encode(value)
        self._value(self._request({"op": "set", "target": handle, "name": name, "value": tree}))

    def global_value(self, name: str) -> Any:
        """Return a global variable of the solution."""
        reply = self._request({"op": "value", "target": name})
        return self._value(reply)

    def advance(self, handle: int) -> Any:
        """Return the next value of a remote iterator; raises `StopIteration` at its end."""
        reply = self._request({"op": "next", "target": handle})
        if reply.get("raised") == "StopIteration":
            raise StopIteration
        return self._value(reply)

    def encode(self, value: Any) -> Any:
        """Return the tree of an argument."""
        return Encoder(self._opaque).encode(value)

    def _opaque(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Remote):
            return {"h": handle_of(value)}
        stub_target = getattr(value, "_solution_target", None)
        if isinstance(stub_target, str):
            return {"g": stub_target}
        if callable(value):
            self._callbacks.append(value)
            return {"cb": len(self._callbacks) - 1}
        raise UnsplittableError(f"an argument of type {type(value).__name__}")

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._channel.send(request)
        except ChannelClosedError:
            self._over("died", "the solution's process ended")
        while True:
            reply = self.receive()
            if "callback" not in reply:
                return reply
            self._serve_callback(reply)

    def _serve_callback(self, request: dict[str, Any]) -> None:
        number, args = request.get("callback"), request.get("args")
        if type(number) is not int or not 0 <= number < len(self._callbacks):
            self._over("protocol", "an unknown callback")
        if type(args) is not list:
            self._over("protocol", "a callback without arguments")
        try:
            result = self._callbacks[number](*(self._decode(arg) for arg in args))
            message = {"value": self.encode(result)}
        except Exception as error:  # noqa: BLE001 - the test's own function, with foreign arguments
            message = {"raised": f"{type(error).__name__}: {error}"}
        try:
            self._channel.send(message)
        except ChannelClosedError:
            self._over("died", "the solution's process ended")

    def _value(self, reply: dict[str, Any]) -> Any:
        if "value" in reply:
            return self._decode(reply["value"])
        if "too_large" in reply:
            raise ForeignError(f"the returned value is {reply['too_large']!s:.200}")
        if "raised" in reply:
            args = reply.get("args")
            values = self._decode(args) if type(args) is list else []
            raise make_exception(reply["raised"], values)
        return self._over("protocol", "a reply without a value")

    def _decode(self, tree: Any) -> Any:
        try:
            return Decoder(self._special).decode(tree)
        except MalformedError as error:
            self._over("protocol", str(error))

    def _make_remote(self, body: Any) -> Remote:
        if type(body) is not list or len(body) != 3 or type(body[0]) is not int:
            raise MalformedError("bad handle")
        handle, kind, type_name = body
        known = self._remotes.get(handle)
        if known is None:
            cls = _REMOTE_KINDS.get(kind, Remote)
            known = self._remotes[handle] = cls(self, handle, str(type_name))
        return known


class Remote:
    """An object that lives with the solution. Only its data attributes can be read and set."""

    __slots__ = ("_handle", "_session", "_type_name")

    def __init__(self, session: Session, handle: int, type_name: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_handle", handle)
        object.__setattr__(self, "_type_name", type_name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._session.attribute(self._handle, name)
        if isinstance(value, RemoteCallable):
            # `result.startswith(...)` must be answered by a real string or not at all.
            raise AttributeError(f"{name}: methods of the solution's objects are not forwarded")  # noqa: TRY004 - foreign data
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.set_attribute(self._handle, name, value)

    def __repr__(self) -> str:
        return f"<{self._type_name} object of the solution>"


class RemoteCallable(Remote):
    """A function that the solution returned."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it where it lives."""
        return self._session.call(self._handle, args, kwargs)


class RemoteIterator(Remote):
    """An iterator or generator that the solution returned; read one value at a time."""

    __slots__ = ()

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self._session.advance(self._handle)


_REMOTE_KINDS: dict[Any, type[Remote]] = {"callable": RemoteCallable, "iterator": RemoteIterator}


def handle_of(remote: Remote) -> int:
    """Return the number that stands for a remote object."""
    handle: int = object.__getattribute__(remote, "_handle")
    return handle


def make_stub(session: Session, name: str, kind: str) -> Callable[..., Any]:
    """Return a function that calls `name` of the solution, or makes instances of it (a class)."""
    send = session.construct if kind == "class" else session.call

    def stub(*args: Any, **kwargs: Any) -> Any:
        return send(name, args, kwargs)

    stub.__name__ = stub.__qualname__ = name.rpartition(".")[2]
    stub._solution_target = name  # type: ignore[attr-defined]
    return stub


def _update(old: Any, new: Any) -> None:
    """Give a container the contents that the solution's copy of it has."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, deque):
        old.clear()
        old.extend(new)
    elif isinstance(old, tuple):
        for before, after in zip(old, new, strict=False):
            _update(before, after)


def builtin_names() -> frozenset[str]:
    """Return the names that need no definition."""
    return frozenset(vars(builtins))
