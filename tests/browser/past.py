"""A site on which something has happened: people who get their newsletter, and people who don't."""

from collections import Counter

from mozillians_basket import reconcile
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.states import State
from tests.browser.crowd import address, crowd, holders
from tests.services.processes import wait_until

PHONE, NDA = "mozilla-phone", "mozillians-nda"

#: The numbers of those who get nothing, and why.
REFUSED, FAILING, OPTED_OUT = 1, 2, 3

#: How many members there are in all.
MEMBERS = 12


def happen(basket: SandboxServer) -> None:
    """Adopt a site of vouched members; needs a worker. Their troubles at Basket go on."""
    crowd(MEMBERS, is_vouched=lambda number: True)
    basket.put_person(address(OPTED_OUT), optout=True)
    basket.fail("subscribe", status=400, code=2, email=address(REFUSED))
    basket.fail("lookup", status=500, email=address(FAILING))
    reconcile.apply()
    wait_until(
        lambda: len(holders(basket, PHONE)) == MEMBERS - 3 and are_noticed(),
        timeout=60,
        what="what the members get",
    )


def are_noticed() -> bool:
    """Whether the ledger knows of all three, and of everybody else that they have it."""
    states = Counter(Subscription.objects.values_list("state", flat=True))
    failing = Contact.objects.filter(failing_since__isnull=False)
    return (
        states[State.OPTED_OUT] == 1
        and states[State.SUBSCRIBED] == MEMBERS - 3
        and failing.count() == 2
    )
