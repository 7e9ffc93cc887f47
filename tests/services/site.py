"""What tests need to know of the site's state while its processes work on it."""

import time
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.models import F, Q
from django.utils import timezone

from mozillians_basket.models import Contact, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile, Vouch


def unsettled() -> list[str]:
    """What is still to be done, now or later, one line each; empty when nothing is."""
    contacts = Contact.objects.filter(
        Q(settled_at=None)
        | Q(touched_at__gt=F("settled_at"))
        | Q(leased_until__gt=timezone.now())
        | Q(lookup__isnull=False)
    )
    return [
        *(f"touch {row.pk}: {row}" for row in Touch.objects.all()),
        *(
            f"{row}: attempts {row.attempts}, error {row.error!r}, leased until "
            f"{row.leased_until}, not before {row.not_before}"
            for row in contacts
        ),
    ]


def settle(timeout: float = 60.0) -> None:
    """
    Wait until the site's processes have nothing left to do, whatever dies meanwhile.

    :raises TimeoutError: when that takes longer, with what is left.
    """
    deadline = time.monotonic() + timeout
    left = ["the database does not answer"]
    while left:
        if time.monotonic() > deadline:
            raise TimeoutError("not settled:\n" + "\n".join(left))
        try:
            left = unsettled()
        except DatabaseError:
            connection.close()
        if left:
            time.sleep(0.1)


def eventually(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """
    Wait until a condition holds.

    :raises TimeoutError: when it does not in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s")
        time.sleep(0.05)


def vouch(profile: UserProfile) -> Vouch:
    """Have the member vouched for by nobody in particular."""
    return Vouch.objects.create(vouchee=profile)


def newsletters_of(basket: SandboxServer, who: UserProfile | str) -> set[str]:
    """What Basket holds for an address, or for a member's present one."""
    person = basket.person(who if isinstance(who, str) else who.user.email)
    return set() if person is None else set(person.newsletters)


def calls_about(basket: SandboxServer, profile: UserProfile) -> list[str]:
    """The requests that Basket was sent about the member's present address."""
    email = profile.user.email
    return [request.endpoint for request in basket.requests if request.email == email]
