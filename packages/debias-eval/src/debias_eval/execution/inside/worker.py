"""The process of the solution: it answers calls with plain values and decides nothing.

Everything in this process after `exec` belongs to the solution, this module included. Whatever it
sends is only ever read as a value that the solution might have returned.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import types
from typing import Any

from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import Decoder, Encoder, MalformedError, ValueTooLargeError

MODULE_NAME = "solution"
_exit = os._exit


def load(source: str, channel: Channel | None = None) -> types.ModuleType:
    """Return the module that `source` makes; what it raises is raised.

    Its name is not `__main__`, so a script's own entry block does not run, and it stands in
    `sys.modules`, where dataclasses and pickling look for it.
    """
    module = types.ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    code = compile(source, "<solution>", "exec", dont_inherit=True)
    if channel is not None:
        channel.send({"compiled": True})
    exec(code, module.__dict__)  # noqa: S102 - this is what the sandbox is for
    return module


def main(job: dict[str, Any], exchange: int | None, _result: int) -> None:
    """Load the solution, then answer until the other end goes away."""
    assert exchange is not None
    channel = Channel(socket.socket(fileno=exchange))
    source = job.pop("source")
    try:
        module = load(source, channel)
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything at all
        channel.send({"loaded": False, **_describe(error)})
        return
    _flush()
    channel.send({"loaded": True})
    session = _Session(channel, module)
    try:
        while True:
            channel.send(session.answer(channel.recv()))
    except (ChannelClosedError, MalformedError):
        _flush()
        _exit(0)


def _flush() -> None:
    with contextlib.suppress(Exception):  # the solution may have put anything there
        sys.stdout.flush()


def _describe(error: BaseException) -> dict[str, Any]:
    """Return the name and the text of an exception whose methods are not to be trusted."""
    try:
        text = str(error)
    except BaseException as second:  # noqa: BLE001 - foreign `__str__`
        text = f"(its text raised {type(second).__name__})"
    return {"raised": type(error).__name__, "text": text[:4000], "line": _line_of(error)}


def _line_of(error: BaseException) -> int | None:
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<solution>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class _Session:
    """The objects that the tests hold handles to, and the operations on them."""

    def __init__(self, channel: Channel, module: types.ModuleType) -> None:
        self._channel = channel
        self._module = module
        self._objects: list[Any] = []
        self._handles: dict[int, int] = {}
        self._special = {
            "h": lambda body: self._objects[body],
            "g": self._target,
            "cb": self._callback,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to one request; everything the solution raises is part of a reply."""
        try:
            reply = self._perform(request)
        except ChannelClosedError:
            raise
        except ValueTooLargeError as error:
            return {"too_large": str(error)}
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything at all
            reply = _describe(error)
            try:
                reply["args"] = self._encode(list(error.args))
            except BaseException:  # noqa: BLE001 - foreign arguments
                reply["args"] = [reply["text"]]
        _flush()
        return reply

    def _perform(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request["op"]
        if operation == "describe":
            return {"kinds": {name: self._kind(name) for name in request["names"]}}
        target = self._target(request["target"])
        if operation == "value":
            return {"value": self._encode(target)}
        if operation == "next":
            return {"value": self._encode(next(target))}
        if operation == "get":
            return {"value": self._encode(getattr(target, request["name"]))}
        if operation == "set":
            setattr(target, request["name"], self._decode(request["value"]))
            return {"value": None}
        return self._call(target, request)

    def _call(self, target: Any, request: dict[str, Any]) -> dict[str, Any]:
        trees = request["args"]
        args = [self._decode(tree) for tree in trees]
        kwargs = {name: self._decode(tree) for name, tree in request["kwargs"].items()}
        result = target(*args, **kwargs)
        value = self._opaque(result) if request["keep"] else self._encode(result)
        changed = {}
        for index, (arg, tree) in enumerate(zip(args, trees, strict=True)):
            if isinstance(tree, (list, dict)):
                after = self._encode(arg)
                if after != tree:
                    changed[str(index)] = after
        return {"value": value, "changed": changed}

    def _target(self, target: Any) -> Any:
        if isinstance(target, str):
            value: Any = self._module
            for part in target.split("."):
                value = getattr(value, part)
            return value
        return self._objects[target]

    def _kind(self, name: str) -> str:
        missing = object()
        value = vars(self._module).get(name, missing)
        if value is missing:
            return "missing"
        if isinstance(value, types.ModuleType):
            return f"module:{value.__name__}"
        if isinstance(value, type):
            return "class"
        return "function" if callable(value) else "value"

    def _encode(self, value: Any) -> Any:
        return Encoder(self._opaque).encode(value)

    def _decode(self, tree: Any) -> Any:
        return Decoder(self._special).decode(tree)

    def _opaque(self, value: Any) -> dict[str, Any]:
        handle = self._handles.get(id(value))
        if handle is None:
            handle = self._handles[id(value)] = len(self._objects)
            self._objects.append(value)
        cls = type(value)
        kind = "object"
        if hasattr(cls, "__next__"):
            kind = "iterator"
        elif isinstance(value, type):
            kind = "class"
        elif callable(value):
            kind = "callable"
        return {"o": [handle, kind, str(cls.__name__)[:100]]}

    def _callback(self, number: Any) -> Any:
        def call(*args: Any) -> Any:
            """Stand in for a function that the tests passed."""
            trees = [self._encode(arg) for arg in args]
            self._channel.send({"callback": number, "args": trees})
            while True:  # the test's function may itself call the solution before it answers
                message = self._channel.recv()
                if "op" not in message:
                    break
                self._channel.send(self.answer(message))
            if "raised" in message:
                raise RuntimeError(str(message["raised"]))
            return self._decode(message["value"])

        return call
