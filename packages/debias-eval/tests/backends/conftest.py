"""A real HTTP server on this machine, whose answers a test writes."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = tuple[int, dict[str, str], object]
Script = Callable[[str, dict[str, object]], Answer | None]


@dataclass
class Server:
    """What was asked, and who answers: ``script(path, payload)``; None drops the connection."""

    url: str = ""
    script: Script = lambda _path, _payload: (500, {}, None)
    requests: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with server.lock:
                server.requests.append((self.path, payload))
                server.authorization.append(self.headers.get("authorization"))
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
            try:
                answer = server.script(self.path, payload)
            finally:
                with server.lock:
                    server.at_once -= 1
            if answer is None:
                # SO_LINGER 0: the peer sees a reset, as from a server that was killed.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.close_connection = True
                self.connection.close()
                self.wfile = _Nowhere()
                return
            status, headers, body = answer
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


class _Nowhere:
    closed = False

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
