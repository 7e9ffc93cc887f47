"""A server for answers that a sandbox Basket does not give."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

EMAIL = "member+1@example.com"
TOKEN = "0a1b2c3d-0000-4000-8000-000000000000"
FOUND = f'{{"status": "ok", "email": "{EMAIL}", "token": "{TOKEN}", "newsletters": []}}'


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    line: str
    headers: Any
    body: str
    client: Any
    """The address and port of its connection's other end."""


#: Seconds for which an answer is held back at most.
LONGEST = 30


class Server(ThreadingHTTPServer):
    """Gives the same answer to every request, and keeps the requests."""

    daemon_threads = True
    request_queue_size = 100  # or a connection would wait for a second before the next try

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[Received] = []
        self.status = 200
        self.content = FOUND.encode()
        self.headers = {"Content-Type": "application/json"}
        self.seconds = 0.0
        self.answering = threading.Event()
        self.answering.set()
        self._held_until = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that did not wait for the answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def hold(self, *, until: int = 0) -> None:
        """Answer nothing before ``answering`` is set, or before this many requests are there."""
        self._held_until = until
        self.answering.clear()

    def take(self, request: Received) -> None:
        """Keep a request; return when it may be answered."""
        self.received.append(request)
        if len(self.received) == self._held_until:
            self.answering.set()
        self.answering.wait(LONGEST)
        time.sleep(self.seconds)

    def answers(self, status: int, content: str | bytes, **headers: str) -> None:
        """Set the answer; a header's name is given with underscores."""
        self.status = status
        self.content = content if isinstance(content, bytes) else content.encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode()
        self.server.take(Received(self.requestline, self.headers, body, self.client_address))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    do_GET = do_POST = answer  # noqa: N815 - the names that the library looks for

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def server(settings: Any, switch_on: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in place of Basket, with the switch on."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        settings.BASKET_URL = server.url
        settings.BASKET_API_KEY = "a-key"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.answering.set()
        server.shutdown()
