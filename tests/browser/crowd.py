"""Members by the thousand, as a site has them that has just taken up the app."""

from collections.abc import Callable, Iterable

from django.contrib.auth.models import User
from django.db import transaction

from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import UserProfile

#: How a member's country follows from their number.
COUNTRIES = ("BR", "DE", "IN")


def crowd(
    count: int, *, is_vouched: Callable[[int], bool] = lambda number: False
) -> list[UserProfile]:
    """
    Members with numbers from 0 on, of whom the ledger knows nothing yet.

    :param is_vouched: whether the member with this number is, by hand, without a vouch.
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
    """The address of the member with this number."""
    return f"member-{number:05}@example.com"


def holders(basket: SandboxServer, newsletter: str) -> set[str]:
    """The addresses that get a newsletter, as Basket has it."""
    return {email for email, person in basket.people.items() if newsletter in person.newsletters}


def addresses(numbers: Iterable[int]) -> set[str]:
    """The addresses of the members with these numbers."""
    return {address(number) for number in numbers}
