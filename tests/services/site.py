"""The site's state while its processes work on it and after each fault, for the tests."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from itertools import product

from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q

from mozillians_basket.models import Contact, Decision, Member, Move, Subscription, Touch
from mozillians_basket.rules.rows import State
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile, Vouch
from project.processes import wait_until
from tests.factories import UserProfileFactory
from tests.services.people import NDA, PHONE


def unsettled(*, but_for_calls_in_a_queue: bool = False) -> list[str]:
    """
    List the work that is left, for now or later, one line each; empty when there is none.

    :param but_for_calls_in_a_queue: leave out contacts that only wait for another lookup: for a
        day, Basket may have a subscribe in its queue that no lookup has shown.
    """
    contacts = Contact.objects.filter(Q(touched_at__isnull=False) | ~Q(lease=""))
    moves = Move.objects.all()
    if but_for_calls_in_a_queue:
        rows = Subscription.objects.filter(removal_pending=False)
        called = Q(requested_at__isnull=False) | Q(unanswered_at__isnull=False)
        queued = rows.filter(called).values("contact")
        contacts = contacts.exclude(pk__in=queued, lease="", problem="", not_before__isnull=False)
        moves = moves.exclude(Q(source__in=queued) | Q(target__in=queued))
    return [
        *(f"touch {row.pk}: {row}" for row in Touch.objects.all()),
        *(
            f"{row}: attempts {row.attempts}, problem {row.problem!r}, lease {row.lease!r} until "
            f"{row.leased_until}, not before {row.not_before}"
            for row in contacts
        ),
        *(f"{row} from contact {row.source_id}" for row in moves),
    ]


def settle(timeout: float = 180.0, *, but_for_calls_in_a_queue: bool = False) -> None:
    """
    Wait until the site's processes have no work left, also if servers die during the wait.

    :raises TimeoutError: when that takes longer, with the remaining work.
    """
    deadline = time.monotonic() + timeout
    left = ["the database does not answer"]
    while left:
        if time.monotonic() > deadline:
            raise TimeoutError("not settled:\n" + "\n".join(left))
        try:
            left = unsettled(but_for_calls_in_a_queue=but_for_calls_in_a_queue)
        except DatabaseError:
            connection.close()
        if left:
            time.sleep(0.1)


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
    timeout: float = 180.0,
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


def let_a_day_pass() -> None:
    """Date back all times in the ledger by a day and an hour."""
    day = timedelta(days=1, hours=1)
    for model in (Member, Decision, Contact, Subscription, Move):
        moments = [
            each.name for each in model._meta.fields if isinstance(each, models.DateTimeField)
        ]
        model._default_manager.update(**{name: F(name) - day for name in moments})
    Contact.objects.update(subscribe_calls=[])


def eventually(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """
    Wait until a condition holds.

    :raises TimeoutError: when it takes longer than ``timeout`` seconds.
    """
    wait_until(condition, timeout=timeout, what="the condition")


def member() -> UserProfile:
    """Create a member."""
    return members(1)[0]


def members(count: int) -> list[UserProfile]:
    """
    Create members in one transaction, as a request does.

    A worker that sees a half-created member takes them for one from before its time, and looks
    them up in Basket.
    """
    with transaction.atomic():
        return UserProfileFactory.create_batch(count)


def vouch(profile: UserProfile) -> Vouch:
    """Create a vouch for the member, without a voucher."""
    return Vouch.objects.create(vouchee=profile)


def newsletters_of(basket: SandboxServer, who: UserProfile | str) -> set[str]:
    """Return the newsletters that Basket has for an address, or for a member's present one."""
    person = basket.person(who if isinstance(who, str) else who.user.email)
    return set() if person is None else set(person.newsletters)


def calls_about(basket: SandboxServer, profile: UserProfile) -> list[str]:
    """Return the requests to Basket about the member's present address."""
    email = profile.user.email
    return [request.endpoint for request in basket.requests if request.email == email]
