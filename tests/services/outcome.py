"""The state after every fault: Basket holds exactly what is wanted, and nothing is stuck."""

from collections.abc import Iterable, Mapping
from itertools import product

from mozillians_basket.models import Contact, Decision, Member, Subscription
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from tests.services.people import NDA, PHONE
from tests.services.site import settle, unsettled


def stuck() -> list[str]:
    """List unsettled rows and parked contacts, one line each; empty when there are none."""
    parked = Contact.objects.filter(parked=True)
    return [*unsettled(), *(f"parked: {contact} ({contact.problem})" for contact in parked)]


def opt_outs() -> set[tuple[str, str]]:
    """Return the opt-outs in the ledger: of mailboxes, and of members by their address."""
    mailboxes = Subscription.objects.filter(state=State.OPTED_OUT)
    marked = Decision.objects.filter(opted_out_at__isnull=False)
    off = Member.objects.filter(opted_out_at__isnull=False)
    return {
        *mailboxes.values_list("contact__email", "newsletter"),
        *marked.values_list("member__contact__email", "newsletter"),
        *product(off.values_list("contact__email", flat=True), (PHONE, NDA)),
    }


def assert_all_is_well(
    basket: SandboxServer,
    expected: Mapping[str, set[str]],
    *,
    opted_out: Iterable[tuple[str, str]] = (),
    timeout: float = 60.0,
) -> None:
    """
    Wait until no work is left, then compare all of Basket's contents with the expected ones.

    :param expected: newsletters by address; no other address may have any.
    :param opted_out: the only opt-outs that may be recorded, as address and newsletter.
    """
    settle(timeout)

    held = {email: set(person.newsletters) for email, person in basket.people.items()}
    differing = [
        f"{email}: holds {held.get(email, set())}, not {expected.get(email, set())}"
        for email in sorted(held.keys() | expected.keys())
        if held.get(email, set()) != expected.get(email, set())
    ]
    assert not differing, "\n".join(differing)
    found, known = opt_outs(), set(opted_out)
    assert found == known, f"too many: {found - known}, missing: {known - found}"
    assert not stuck(), "\n".join(stuck())
