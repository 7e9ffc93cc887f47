"""Measures how many lookups a second the sandbox Basket answers."""

import argparse
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from mozillians_basket.sandbox.testing import SandboxServer

PEOPLE = 500
HEADER_END = b"\r\n\r\n"


class Caller:
    """One kept connection that asks for one person after the other."""

    def __init__(self, address: tuple[str, int], requests: Sequence[bytes], first: int) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)  # noqa: FBT003
        self._requests = requests
        self._next = first
        self.asked = 0.0
        self._received = b""

    def ask(self) -> None:
        """Send the next request."""
        self.socket.sendall(self._requests[self._next % len(self._requests)])
        self._next += 1
        self.asked = time.perf_counter()

    def is_answered(self) -> bool:
        """Receive the data that has arrived; tell whether it is the whole answer."""
        self._received += self.socket.recv(65536)
        head, found, body = self._received.partition(HEADER_END)
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return False
        self._received = b""
        return True


def requests_for(server: SandboxServer, emails: Sequence[str]) -> list[bytes]:
    """Return one lookup for each address, ready to send."""
    host = urlsplit(server.url).netloc
    return [
        (
            f"GET /api/v1/users/lookup/?email={quote(email)} HTTP/1.1\r\n"
            f"Host: {host}\r\nX-Api-Key: {server.api_key}\r\n\r\n"
        ).encode()
        for email in emails
    ]


def measure(server: SandboxServer, connections: int, seconds: float) -> tuple[int, list[float]]:
    """Look people up for some seconds; return the number of lookups, and the time of each one."""
    emails = [f"member{number}@example.com" for number in range(PEOPLE)]
    for email in emails:
        server.put_person(email, newsletters=["mozilla-phone", "mozillians-nda"])
    requests = requests_for(server, emails)
    parts = urlsplit(server.url)
    selector = selectors.DefaultSelector()
    for number in range(connections):
        caller = Caller((str(parts.hostname), int(parts.port or 80)), requests, number * 31)
        selector.register(caller.socket, selectors.EVENT_READ, caller)
        caller.ask()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1):
            caller = key.data
            if caller.is_answered():
                times.append(time.perf_counter() - caller.asked)
                caller.ask()
    return len(times), sorted(times)


def main() -> int:
    """Measure, print, and return 0 if it was fast enough, or else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--at-least", type=float, default=1000, help="lookups a second")
    parser.add_argument("--faithful", action="store_true", help="with the journal, as in tests")
    options = parser.parse_args()
    with SandboxServer(fast=not options.faithful) as server:
        count, times = measure(server, options.connections, options.seconds)
    rate = count / options.seconds
    middle, slow = times[len(times) // 2], times[int(len(times) * 0.99)]
    sys.stdout.write(
        f"{rate:.0f} lookups/s over {options.connections} connections, "
        f"half within {middle * 1000:.1f} ms, 99% within {slow * 1000:.1f} ms\n"
    )
    return 0 if rate >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
