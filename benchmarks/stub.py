"""
A very fast Basket: lookup, subscribe and unsubscribe, answered from memory.

It runs by itself: ``python stub.py PORT API_KEY``. It answers these calls as the sandbox does,
after a latency, but knows no rate limits, blocked domains or maintenance. Paths below ``/-/``
steer it, and are neither delayed nor counted.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from typing import Any, TypeAlias
from urllib.parse import parse_qsl
from uuid import uuid4

NEWSLETTERS = {"mozilla-phone", "mozillians-nda"}
TOKEN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = re.compile(r"[!-?A-~]+@[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*\.(?!test$|local$)[a-zA-Z]{2,}")
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}

Answer: TypeAlias = tuple[int, dict[str, Any]]
"""A status, and a body for JSON."""


def error(status: int, code: int, text: str) -> Answer:
    """Return an error with basket-client's number for it."""
    return status, {"status": "error", "desc": text, "code": code}


class Basket:
    """The people, and the number of calls."""

    def __init__(self, key: str) -> None:
        self.key, self.latency = key, 0.0
        self.reset()

    def reset(self) -> None:
        """Delete all people, and set the counts to zero."""
        self.by_email: dict[str, dict[str, Any]] = {}
        self.by_token: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.subscribed_at: dict[str, float] = {}

    def lookup(self, fields: dict[str, str], key: str) -> Answer:
        """``GET /api/v1/users/lookup/``."""
        email, token = fields.get("email", ""), fields.get("token", "")
        if bool(email) == bool(token):
            return error(400, 5, "Must have valid token OR email for this request")
        if email and key != self.key:
            return error(401, 7, "looking up by address requires a valid API key")
        if email and not ADDRESS.fullmatch(email):
            return error(400, 2, "Invalid email address")
        person = self.by_email.get(email.lower()) if email else self.by_token.get(token)
        if person is None:
            return error(404, 3 if email else 4, "User not found")
        shown = {"status": "ok", **person, "newsletters": list(person["newsletters"])}
        if key != self.key:
            shown["email"] = re.sub(r"(?<=[^@.])[^@.](?=[^@.]+[@.])", "*", person["email"])
        return 200, shown

    def subscribe(self, fields: dict[str, str], key: str) -> Answer:
        """``POST /news/subscribe/``, by address. It is done at once, with sync=N too."""
        slugs = [name for name in fields.get("newsletters", "").split(",") if name]
        email, authorized = fields.get("email", ""), key == self.key
        if not slugs:
            return error(400, 5, "newsletters is missing")
        if not email:
            return error(401, 5, "email or token is required")
        if not ADDRESS.fullmatch(email):
            return error(400, 2, "Invalid email address")
        if fields.get("sync") == "Y" and not authorized:
            return error(401, 7, "subscribing with sync=Y requires a valid API key")
        if not NEWSLETTERS.issuperset(slugs):
            return error(400, 9, "invalid newsletter")
        created = email.lower() not in self.by_email
        person = self.create(email) if created else self.by_email[email.lower()]
        person["newsletters"] |= dict.fromkeys(slugs)
        person["optin"] |= authorized and fields.get("optin") == "Y"
        person["optout"] = False
        person |= {name: fields[name] for name in ("lang", "country") if fields.get(name)}
        self.subscribed_at[email] = time.time()
        done = {"token": person["token"], "created": created}
        return 200, {"status": "ok"} | (done if fields.get("sync") == "Y" else {})

    def unsubscribe(self, fields: dict[str, str], token: str) -> Answer:
        """``POST /news/unsubscribe/<token>/``."""
        slugs = [name for name in fields.get("newsletters", "").split(",") if name]
        if not NEWSLETTERS.issuperset(slugs):
            return error(400, 9, "invalid newsletter")
        for slug in slugs if token in self.by_token else ():
            self.by_token[token]["newsletters"].pop(slug, None)
        return 200, {"status": "ok"}

    def create(self, email: str) -> dict[str, Any]:
        """Add a person."""
        local, _, domain = email.rpartition("@")
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        unknown = dict.fromkeys(("country", "first_name", "last_name", "fxa_primary_email"))
        person: dict[str, Any] = unknown | {
            "email": f"{local}@{domain.lower()}", "has_fxa": False, "lang": "en",
            "mofo_relevant": False, "newsletters": {}, "optin": False, "optout": False,
            "token": str(uuid4()), "created_date": moment, "last_modified_date": moment,
        }  # fmt: skip
        self.by_email[email.lower()] = self.by_token[person["token"]] = person
        return person

    def answer(self, path: str, fields: dict[str, str], key: str) -> tuple[Answer, float]:
        """Answer a request; return the answer, and the seconds until it is sent."""
        found: Answer = 200, dict(self.counts)
        match path.split("/"):
            case ["", "-", "reset"]:
                self.reset()
                self.latency = float(fields["latency"])
            case ["", "-", "forget"]:
                self.by_token.pop(self.by_email.pop(fields["email"])["token"])
            case ["", "-", "people"]:
                found = 200, {row["email"]: [*row["newsletters"]] for row in self.by_email.values()}
            case ["", "-", "subscribed"]:
                found = 200, self.subscribed_at
            case ["", "-", "counts"]:
                pass
            case ["", "api", "v1", "users", "lookup", ""]:
                name, found = "lookup", self.lookup(fields, key)
            case ["", "news", "subscribe", ""]:
                name, found = "subscribe", self.subscribe(fields, key)
            case ["", "news", "unsubscribe", token, ""] if TOKEN.fullmatch(token):
                name, found = "unsubscribe", self.unsubscribe(fields, token)
            case _:
                name, found = "unknown", error(404, 99, "no such path")
        if path.startswith("/-/"):
            return found, 0.0
        self.counts[name] += 1
        return found, self.latency


class Connection(asyncio.Protocol):
    """A connection that is kept open."""

    def __init__(self, basket: Basket) -> None:
        self.basket, self.received = basket, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived as a whole."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n") + 4) > 3:
            first, *lines = self.received[: end - 4].decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            whole = end + int(headers.get("content-length", 0))
            if len(self.received) < whole:
                return
            body, self.received = self.received[end:whole].decode(), self.received[whole:]
            path, _, query = first.split(" ")[1].partition("?")
            fields = dict(parse_qsl(body or query))
            (status, shown), wait = self.basket.answer(path, fields, headers.get("x-api-key", ""))
            content = json.dumps(shown).encode()
            reply = (
                f"HTTP/1.1 {status} {REASONS[status]}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            ).encode() + content
            asyncio.get_running_loop().call_later(wait, self.transport.write, reply)


async def serve(port: int, key: str) -> None:
    """Serve until the process ends."""
    loop, basket = asyncio.get_running_loop(), Basket(key)
    server = await loop.create_server(lambda: Connection(basket), "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
