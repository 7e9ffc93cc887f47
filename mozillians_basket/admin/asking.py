"""Look a member up in Basket live, for an admin who waits for the answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.client import calls
from mozillians_basket.client.switch import switch_is_on
from mozillians_basket.exceptions import BasketError, BasketSwitchedOff
from mozillians_basket.models import Status
from mozillians_basket.rules.answers import Person
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.site import get_site

#: Seconds to wait for each answer; a worker waits for ``BASKET_TIMEOUT``, a person not so long.
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Basket's answer about one address."""

    address: str = field(repr=False)
    trouble: str = ""
    """The reason for a missing answer, in plain words; empty when there is an answer."""

    person: Person | None = field(default=None, repr=False)
    """The person that Basket has there; ``None`` when nobody."""

    @property
    def others(self) -> int:
        """The number of their newsletters that are not this site's."""
        return len(self.person.newsletters - get_site().newsletters) if self.person else 0

    def has(self, newsletter: str) -> bool:
        """Whether Basket has this newsletter for them."""
        return self.person is not None and newsletter in self.person.newsletters


def distinct(addresses: Iterable[str]) -> list[str]:
    """Each address once, however it is spelled, in the order given; without empty ones."""
    found: dict[str, str] = {}
    for address in addresses:
        if address:
            found.setdefault(contact_key(address) or address, address)
    return list(found.values())


def ask(addresses: Iterable[str]) -> tuple[str, list[Answer]]:
    """
    Look these addresses up in Basket; neither ledger nor breaker hear of it.

    The breaker does not count it, as a Basket that is only slow would look broken.

    :return: why nobody was asked, empty when Basket was; and the answers.
    """
    if not switch_is_on():
        return _("The switch BASKET_SWITCH_ENABLED is off: Basket was not asked."), []
    if Status.read().is_open:
        return _("The breaker is open: Basket was not asked, as it fails everybody."), []
    answers: list[Answer] = []
    for address in addresses:
        answers.append(_ask(address))
        if answers[-1].trouble:
            break  # nobody should wait for the same failure twice
    return "", answers


def _ask(address: str) -> Answer:
    try:
        with calls.within(TIMEOUT):
            return Answer(address, person=calls.look_up(address))
    except BasketSwitchedOff:
        return Answer(address, _("The switch has just been turned off: Basket was not asked."))
    except BasketError as error:
        label, code = error.label, getattr(error, "code", None)
        return Answer(address, f"{in_plain_words(label, code)} ({code_of(label, code)})")
