"""The demo's own calls to the sandbox Basket, and the actions of people at Basket."""

from collections.abc import Collection, Mapping
from typing import Any

import requests

from mozillians_basket.sandbox.control_client import ControlClient

#: The newsletters of each person in Basket, by address.
Holdings = Mapping[str, frozenset[str]]

_TIMEOUT = 10


class Basket:
    """A sandbox Basket over HTTP."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key
        self._control = ControlClient(url, api_key)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between here and loopback

    @property
    def holdings(self) -> Holdings:
        """The newsletters of all people in Basket, by address."""
        people = self._control.ask("GET", "people")["people"]
        return {person["email"]: frozenset(person["newsletters"]) for person in people}

    @property
    def requests(self) -> int:
        """The number of requests to the Newsletter API since the last ``forget_requests()``."""
        return len(self._control.ask("GET", "requests")["requests"])

    def forget_requests(self) -> None:
        """Begin to count requests from zero."""
        self._control.ask("DELETE", "requests")

    def sign_up(self, email: str, newsletter: str) -> None:
        """Subscribe as a person does on a page of the newsletter's own."""
        self._post("subscribe", email=email, newsletters=newsletter)

    def leave(self, email: str, newsletters: Collection[str]) -> None:
        """Unsubscribe as a person does by the link in a message."""
        self._post(
            f"unsubscribe/{self._looked_up(email)['token']}", newsletters=",".join(newsletters)
        )

    def opt_out(self, email: str) -> None:
        """Opt out of everything, as a person does at Basket."""
        self._post(f"unsubscribe/{self._looked_up(email)['token']}", optout="Y")

    def look_up(self, email: str) -> frozenset[str]:
        """Return the newsletters of this address by the Newsletter API, asked with the key."""
        return frozenset(self._looked_up(email)["newsletters"])

    def _post(self, what: str, **fields: str) -> None:
        answer = self._session.post(f"{self.url}/news/{what}/", fields, timeout=_TIMEOUT)
        answer.raise_for_status()

    def _looked_up(self, email: str) -> dict[str, Any]:
        answer = self._session.get(
            f"{self.url}/api/v1/users/lookup/",
            params={"email": email},
            headers={"X-Api-Key": self.api_key},
            timeout=_TIMEOUT,
        )
        answer.raise_for_status()
        person: dict[str, Any] = answer.json()
        return person
