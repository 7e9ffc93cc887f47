"""Who should hold which newsletters at Basket, going by the story alone: no policy is asked."""

from collections.abc import Mapping

#: What each person of whom Basket knows holds, by address.
Holdings = Mapping[str, frozenset[str]]


class Expectation:
    """
    What Basket should hold, kept up by hand with every act.

    Basket never forgets a person, so who lost all newsletters stays, with none.
    """

    def __init__(self) -> None:
        self._held: dict[str, frozenset[str]] = {}

    def gain(self, email: str, *newsletters: str) -> None:
        """From now on this address holds these too."""
        self._held[email] = self.of(email) | set(newsletters)

    def lose(self, email: str, *newsletters: str) -> None:
        """From now on this address holds these no more."""
        self._held[email] = self.of(email) - set(newsletters)

    def of(self, email: str) -> frozenset[str]:
        """What this address should hold."""
        return self._held.get(email, frozenset())

    @property
    def holdings(self) -> Holdings:
        """What all should hold; nobody else is to be known to Basket."""
        return dict(self._held)

    def differences(self, held: Holdings) -> list[str]:
        """One line for each address at which Basket does not hold what it should."""
        return [
            f"{email}: Basket holds {spelled(held, email)}, "
            f"it should be {spelled(self._held, email)}"
            for email in sorted(held.keys() | self._held.keys())
            if held.get(email) != self._held.get(email)
        ]


def spelled(holdings: Holdings, email: str) -> str:
    """What an address holds, in words."""
    newsletters = holdings.get(email)
    if newsletters is None:
        return "unknown"
    return ", ".join(sorted(newsletters)) or "nothing"
