"""Notices errors in a page that the test itself would not notice."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

#: The browser's message about a request that it gave up, because its page was left.
GIVEN_UP = "net::ERR_ABORTED"

#: A request that a browser makes by itself on any page.
UNASKED = "/favicon.ico"


class Watch:
    """
    Collects console errors, script errors, failed requests and requests to other hosts.

    :param url: the site's address, with nothing after the port.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._found: list[str] = []
        self._expected: list[str] = []
        context.on("console", self._on_console)
        context.on("weberror", self._on_script_error)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed_request)
        context.on("response", self._on_response)

    def expect(self, pattern: str) -> None:
        """Accept errors that match this regular expression; at least one must come."""
        self._expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """Unexpected errors, and expected ones that did not come; one line each."""
        return [
            *(
                line
                for line in self._found
                if not any(re.search(pattern, line) for pattern in self._expected)
            ),
            *(
                f"expected, and did not come up: {pattern}"
                for pattern in self._expected
                if not any(re.search(pattern, line) for line in self._found)
            ),
        ]

    def _is_expected(self, line: str) -> bool:
        return any(re.search(pattern, line) for pattern in self._expected)

    def _on_console(self, message: ConsoleMessage) -> None:
        source = message.location["url"]
        if message.type in ("error", "assert") and not source.endswith(UNASKED):
            self._found.append(f"console: {message.text} ({source})")

    def _on_script_error(self, error: WebError) -> None:
        self._found.append(f"script error: {error.error}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
            self._found.append(f"other host: {request.method} {request.url}")

    def _on_failed_request(self, request: Request) -> None:
        if request.failure != GIVEN_UP:
            self._found.append(f"failed: {request.method} {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._found.append(
                f"status {response.status}: {response.request.method} {response.url}"
            )
