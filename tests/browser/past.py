"""A site with a past: members who get their newsletter, and members who do not."""

from mozillians_basket.models import Contact, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile
from project.processes import wait_until
from tests.browser.crowd import address, crowd, holders
from tests.services.site import opt_outs

PHONE, NDA = "mozilla-phone", "mozillians-nda"

#: The numbers of the members without a newsletter, by the reason.
REFUSED, FAILING, OPTED_OUT = 1, 2, 3

#: The number of all members.
MEMBERS = 12


def happen(basket: SandboxServer) -> None:
    """
    Let a worker sync a site of vouched members.

    Afterwards three members are without their newsletter; the faults at Basket stay.
    """
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
    """Whether the ledger knows all three, and the newsletters of the others."""
    subscribed = Subscription.objects.filter(state=State.SUBSCRIBED)
    failing = Contact.objects.filter(failing_since__isnull=False)
    return (
        {email for email, _newsletter in opt_outs()} == {address(OPTED_OUT)}
        and subscribed.count() == MEMBERS - 3
        and failing.count() == 2
    )
