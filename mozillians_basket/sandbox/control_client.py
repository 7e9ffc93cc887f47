"""A client of the control endpoints of a running sandbox Basket, and the records it gives."""

import http.client
import json
import re
import threading
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class SandboxPerson:
    """A person as Basket holds them."""

    email: str
    token: str
    newsletters: frozenset[str]
    optin: bool
    optout: bool
    fields: dict[str, Any]
    """All fields in ``/news/lookup-user/``, and ``source_url``."""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return the person whose fields a control endpoint gives."""
        return cls(
            email=fields["email"],
            token=fields["token"],
            newsletters=frozenset(fields["newsletters"]),
            optin=fields["optin"],
            optout=fields["optout"],
            fields=fields,
        )


@dataclass(frozen=True)
class SandboxRequest:
    """A request that Basket received."""

    method: str
    path: str
    """With ``<token>`` in place of a token, and without its query."""
    endpoint: str
    """``subscribe``, ``unsubscribe``, ``lookup``, ``user``, ``newsletters`` and so on."""
    email: str
    newsletters: frozenset[str]
    status: int | None
    """None if it was left unanswered."""
    code: int | None
    new_connection: bool
    """Whether it was the first request on its TCP connection."""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return the request whose fields a control endpoint gives."""
        return cls(
            method=fields["method"],
            path=fields["path"],
            endpoint=fields["endpoint"],
            email=fields["email"],
            newsletters=frozenset(fields["newsletters"]),
            status=fields["status"],
            code=fields["code"],
            new_connection=bool(fields["new_connection"]),
        )


@dataclass(frozen=True)
class SandboxMessage:
    """A message that Basket sent."""

    kind: str
    """``confirm``, ``welcome`` or ``recover``."""
    email: str
    lang: str
    subject: str
    body: str

    @property
    def link(self) -> str:
        """The link in the message, which holds the person's token."""
        found = LINK.search(self.body)
        return found[0] if found else ""


class ControlClient:
    """
    A connection to the control endpoints.

    It uses only the standard library, so a test may replace ``requests`` freely.
    """

    def __init__(self, url: str, api_key: str) -> None:
        parts = urlsplit(url)
        self._api_key = api_key
        self._lock = threading.Lock()
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=30
        )

    def ask(
        self, method: str, what: str, body: Any = None, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Call ``/sandbox/<what>/`` and return its answer; ValueError if it is refused."""
        path = f"/sandbox/{what}/"
        if query:
            path += f"?{urlencode(query)}"
        content = None if body is None else json.dumps(body)
        headers = {"X-Api-Key": self._api_key, "Content-Type": "application/json"}
        with self._lock:
            try:
                self._connection.request(method, path, content, headers)
                response = self._connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The server closes connections that were idle for long.
                self._connection.close()
                self._connection.request(method, path, content, headers)
                response = self._connection.getresponse()
            status, text = response.status, response.read()
        answer: dict[str, Any] = json.loads(text)
        if status != 200:
            raise ValueError(answer.get("error", f"status {status}"))
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
