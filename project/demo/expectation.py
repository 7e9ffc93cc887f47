"""The newsletters that people should have at Basket, by the story alone: no policy is used."""

from collections.abc import Mapping

#: The newsletters of each person in Basket, by address.
Holdings = Mapping[str, frozenset[str]]


class Expectation:
    """
    The contents that Basket should have, kept up by hand with every act.

    Basket never forgets a person: an address that lost all newsletters stays, with none.
    """

    def __init__(self) -> None:
        self._held: dict[str, frozenset[str]] = {}

    def gain(self, email: str, *newsletters: str) -> None:
        """Expect that this address gets these newsletters too."""
        self._held[email] = self.of(email) | set(newsletters)

    def lose(self, email: str, *newsletters: str) -> None:
        """Expect that this address no longer gets these newsletters."""
        self._held[email] = self.of(email) - set(newsletters)

    def of(self, email: str) -> frozenset[str]:
        """Return the newsletters that this address should have."""
        return self._held.get(email, frozenset())

    @property
    def holdings(self) -> Holdings:
        """The newsletters of all addresses that Basket should know. It should know no others."""
        return dict(self._held)

    def differences(self, held: Holdings) -> list[str]:
        """Return one line for each address at which Basket differs from the expectation."""
        return [
            f"{email}: Basket holds {spelled(held, email)}, "
            f"it should be {spelled(self._held, email)}"
            for email in sorted(held.keys() | self._held.keys())
            if held.get(email) != self._held.get(email)
        ]


def spelled(holdings: Holdings, email: str) -> str:
    """Return the newsletters of an address in words."""
    newsletters = holdings.get(email)
    if newsletters is None:
        return "unknown"
    return ", ".join(sorted(newsletters)) or "nothing"
