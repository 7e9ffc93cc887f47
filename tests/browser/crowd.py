"""Thousands of members, as on a site that has just adopted the app."""

from collections.abc import Callable, Iterable

from django.contrib.auth.models import User
from django.db import transaction

from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile

#: The countries, which members have in turn by their number.
COUNTRIES = ("BR", "DE", "IN")


def crowd(
    count: int, *, is_vouched: Callable[[int], bool] = lambda number: False
) -> list[UserProfile]:
    """
    Create members with numbers from 0 on, which the ledger does not know yet.

    :param is_vouched: tells whether the member with this number is marked as vouched.
    """
    with transaction.atomic():
        users = User.objects.bulk_create(
            User(username=f"member-{number:05}", email=address(number)) for number in range(count)
        )
        return UserProfile.objects.bulk_create(
            UserProfile(
                user=user,
                full_name=f"Member {number:05}",
                country=COUNTRIES[number % len(COUNTRIES)],
                is_vouched=is_vouched(number),
            )
            for number, user in enumerate(users)
        )


def address(number: int) -> str:
    """Return the address of the member with this number."""
    return f"member-{number:05}@example.com"


def holders(basket: SandboxServer, newsletter: str) -> set[str]:
    """Return the addresses with a newsletter at Basket."""
    return {email for email, person in basket.people.items() if newsletter in person.newsletters}


def addresses(numbers: Iterable[int]) -> set[str]:
    """Return the addresses of the members with these numbers."""
    return {address(number) for number in numbers}
