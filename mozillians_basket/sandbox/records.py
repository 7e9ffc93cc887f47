"""The records that a running sandbox Basket gives to tests: people, requests and messages."""

import re
from dataclasses import dataclass
from typing import Any

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


def person(fields: dict[str, Any]) -> SandboxPerson:
    """Return a person as the control endpoints describe them."""
    return SandboxPerson(
        email=fields["email"],
        token=fields["token"],
        newsletters=frozenset(fields["newsletters"]),
        optin=fields["optin"],
        optout=fields["optout"],
        fields=fields,
    )


def request(entry: dict[str, Any]) -> SandboxRequest:
    """Return a request as the control endpoints describe it."""
    return SandboxRequest(
        method=entry["method"],
        path=entry["path"],
        endpoint=entry["endpoint"],
        email=entry["email"],
        newsletters=frozenset(entry["newsletters"]),
        status=entry["status"],
        code=entry["code"],
        new_connection=bool(entry["new_connection"]),
    )


def message(entry: dict[str, Any]) -> SandboxMessage:
    """Return a message as the control endpoints describe it."""
    return SandboxMessage(**entry)
