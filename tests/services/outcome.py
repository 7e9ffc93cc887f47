"""What must be so after every fault: Basket holds what is wanted, and nothing is stuck."""

from collections.abc import Iterable, Mapping

from mozillians_basket.models import Contact, Subscription, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.states import State
from tests.services.site import settle

PHONE, NDA = "mozilla-phone", "mozillians-nda"


def stuck() -> list[str]:
    """What would wait for ever, one line each: touches, leases, failures; empty when nothing."""
    leased = Contact.objects.filter(leased_until__isnull=False)
    running = Contact.objects.filter(lookup__isnull=False)
    parked = Contact.objects.filter(parked_at__isnull=False)
    return [
        *(f"undrained: {touch}" for touch in Touch.objects.all()),
        *(f"leased: {contact}" for contact in leased),
        *(f"in the middle of a sync: {contact}" for contact in running),
        *(f"parked: {contact} ({contact.error})" for contact in parked),
    ]


def opt_outs() -> set[tuple[str, str]]:
    """Whom the ledger calls opted out, and of what."""
    lines = Subscription.objects.filter(state=State.OPTED_OUT)
    return set(lines.values_list("contact__email", "newsletter"))


def assert_all_is_well(
    basket: SandboxServer,
    expected: Mapping[str, set[str]],
    *,
    opted_out: Iterable[tuple[str, str]] = (),
    timeout: float = 60.0,
) -> None:
    """
    Wait until nothing is to be done, then compare everything that Basket holds with this.

    :param expected: newsletters by address; nobody else may have any.
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
