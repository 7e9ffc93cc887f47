"""A proxy before a Basket that holds calls at exact moments, so that a worker can die there."""

import json
import threading
from collections.abc import Callable, Mapping
from enum import Enum, auto
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

#: The longest time to hold a call, in seconds.
LONGEST_HOLD = 120.0

#: Headers that a proxy does not pass on.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}


class Moment(Enum):
    """The moment at which to hold a call."""

    BEFORE = auto()
    """Basket has not received the call, and never will."""

    APPLIED = auto()
    """Basket has applied the call, and its answer is held."""

    ANSWERED = auto()
    """The answer has left: the call is not held at all."""


Choice = Callable[[str, str], Moment | None]
"""A function from a call's name and address to the moment; ``None`` for calls to pass on."""


class HoldingProxy:
    """Passes calls on to a Basket, and holds chosen ones."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()
        self._choose: Choice = lambda _call, _email: None
        self._released = threading.Event()
        self.struck: set[tuple[str, str]] = set()
        """The calls with a moment that reached it: name and address."""

    @property
    def url(self) -> str:
        """The value for BASKET_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, choose: Choice) -> None:
        """Hold the calls that ``choose`` selects, until ``release()``."""
        self.struck = set()
        self._released = threading.Event()
        self._choose = choose

    def release(self) -> None:
        """Drop the held calls, and hold no more."""
        self._choose = lambda _call, _email: None
        self._released.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def passed(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes] | None:
        """Pass a request on; return ``None`` if it was held, and its sender is dead."""
        call, email = self._about(path, body)
        moment, released = self._choose(call, email), self._released
        if moment is Moment.BEFORE:
            self._note(call, email)
            released.wait(LONGEST_HOLD)
            return None
        connection = HTTPConnection(str(self._target.hostname), self._target.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()
        self._learn(email, answer[2])
        if moment is not None:
            self._note(call, email)
        if moment is Moment.APPLIED:
            released.wait(LONGEST_HOLD)
            return None
        return answer

    def _note(self, call: str, email: str) -> None:
        with self._lock:
            self.struck.add((call, email))

    def _about(self, path: str, body: bytes) -> tuple[str, str]:
        """Return the name of the call, and the address that it is about."""
        parts = urlsplit(path)
        fields = parse_qs(parts.query) | parse_qs(body.decode())
        call = next((each for each in CALLS if f"/{each}/" in parts.path), "")
        token = parts.path.rstrip("/").rpartition("/")[2]
        email = fields.get("email", [self._tokens.get(token, "")])[0]
        return call, email

    def _learn(self, email: str, answer: bytes) -> None:
        """Remember the address of the token in an answer: an unsubscribe names only the token."""
        found: Any = json.loads(answer) if answer.startswith(b"{") else {}
        if found.get("token"):
            self._tokens[found["token"]] = found.get("email") or email


CALLS = ("unsubscribe", "subscribe", "lookup")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def _handler(proxy: HoldingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            passed = {name: value for name, value in self.headers.items() if name != "Host"}
            try:
                answer = proxy.passed(self.command, self.path, passed, body)
            except OSError:
                answer = None
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            try:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the sender was killed
                self.close_connection = True

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *arguments: Any) -> None:
            """Log nothing: paths hold addresses and tokens."""

    return Handler
