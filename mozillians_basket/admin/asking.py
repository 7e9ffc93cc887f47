"""Ask Basket live what it has of somebody, for an admin who waits for the answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from mozillians_basket import breaker, client, transport
from mozillians_basket.admin.plain_words import code_of, in_plain_words
from mozillians_basket.exceptions import BasketError, BasketSwitchedOff, label_of
from mozillians_basket.models import Contact
from mozillians_basket.plan import Person
from mozillians_basket.site import get_site
from mozillians_basket.switch import switch_is_on

#: Seconds to wait for each answer; a worker waits for ``BASKET_TIMEOUT``, a person not so long.
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What Basket said of one address."""

    address: str = field(repr=False)
    trouble: str = ""
    """Why there is no answer, in plain words; empty when there is one."""

    person: Person | None = field(default=None, repr=False)
    """Who Basket has there; ``None`` when nobody."""

    @property
    def others(self) -> int:
        """How many newsletters they have that are none of this site's."""
        return len(self.person.newsletters - get_site().newsletters) if self.person else 0

    def has(self, newsletter: str) -> bool:
        """Whether Basket has this newsletter for them."""
        return self.person is not None and newsletter in self.person.newsletters


def addresses_of(contact: Contact | None, email_on_site: str) -> list[str]:
    """The addresses to ask for: on the site now, and in the ledger where that is another one."""
    found = [email_on_site]
    if contact is not None:
        found += [contact.wanted_email, contact.email]
    distinct = {address.lower(): address for address in reversed(found) if address}
    return list(reversed(distinct.values()))


def ask(addresses: Iterable[str]) -> tuple[str, list[Answer]]:
    """
    Look these addresses up in Basket; neither ledger nor breaker hear of it.

    The breaker does not count it, as a Basket that is only slow would look broken.

    :return: why nobody was asked, empty when Basket was; and the answers.
    """
    if not switch_is_on():
        return _("The switch BASKET_SWITCH_ENABLED is off: Basket was not asked."), []
    if breaker.is_open():
        return _("The breaker is open: Basket was not asked, as it fails everybody."), []
    answers: list[Answer] = []
    for address in addresses:
        answers.append(_ask(address))
        if answers[-1].trouble:
            break  # nobody should wait for the same failure twice
    return "", answers


def _ask(address: str) -> Answer:
    try:
        with transport.within(TIMEOUT):
            return Answer(address, person=client.look_up(address))
    except BasketSwitchedOff:
        return Answer(address, _("The switch was turned off meanwhile: Basket was not asked."))
    except BasketError as error:
        label, code = label_of(error), getattr(error, "code", None)
        return Answer(address, f"{in_plain_words(label, code)} ({code_of(label, code)})")
