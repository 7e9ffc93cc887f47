"""Speaks to the control endpoints of a running sandbox Basket over one kept connection."""

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlencode, urlsplit


class Steering:
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
