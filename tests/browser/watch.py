"""Notices what goes wrong in a page behind the back of a test that only looks at it."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

#: What a browser says of a request that it gave up itself, as its page was left.
GIVEN_UP = "net::ERR_ABORTED"

#: What a browser asks for by itself, whatever the page.
UNASKED = "/favicon.ico"


class Watch:
    """
    Collects console errors, script errors, requests that fail and requests to other hosts.

    :param url: the site's, with nothing behind the port.
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
        """Let pass what this regular expression is found in; it has to come up at least once."""
        self._expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """What went wrong unexpectedly, and what was expected and did not; one line each."""
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
