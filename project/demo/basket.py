"""What the demo itself asks of the sandbox Basket, and what a person does there."""

from collections.abc import Collection
from typing import Any

import requests

from mozillians_basket.sandbox.steering import Steering
from project.demo.expectation import Holdings

_TIMEOUT = 10


class Basket:
    """A sandbox Basket over HTTP."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key
        self._steering = Steering(url, api_key)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between here and loopback

    @property
    def holdings(self) -> Holdings:
        """The newsletters of everybody in Basket, by address."""
        people = self._steering.ask("GET", "people")["people"]
        return {person["email"]: frozenset(person["newsletters"]) for person in people}

    @property
    def requests(self) -> int:
        """How many requests to the Newsletter API came since they were last forgotten."""
        return len(self._steering.ask("GET", "requests")["requests"])

    def forget_requests(self) -> None:
        """Count from nought again."""
        self._steering.ask("DELETE", "requests")

    def sign_up(self, email: str, newsletter: str) -> None:
        """What somebody does who subscribes on a page of the newsletter's own."""
        self._post("subscribe", email=email, newsletters=newsletter)

    def leave(self, email: str, newsletters: Collection[str]) -> None:
        """What somebody does who follows the link to unsubscribe."""
        self._post(
            f"unsubscribe/{self._looked_up(email)['token']}", newsletters=",".join(newsletters)
        )

    def opt_out(self, email: str) -> None:
        """What somebody does who wants nothing at all any more."""
        self._post(f"unsubscribe/{self._looked_up(email)['token']}", optout="Y")

    def look_up(self, email: str) -> frozenset[str]:
        """What this address holds by the Newsletter API, as anyone with a key may ask."""
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
