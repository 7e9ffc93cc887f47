"""``manage.py demo_data``: sample members and an admin, for a developer's own database."""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch

#: Name and password of the admin: for a database that nobody else can reach.
ADMIN = "admin"

#: The name of the member who manages the NDA group.
MANAGER = "nda-manager"

#: The password of all members.
PASSWORD = "member"  # noqa: S105 - for a database that nobody else can reach

MEMBERS = 30

#: The numbers of the members who are not vouched.
UNVOUCHED = frozenset({15, 16, 21, 26, 28, 29, 30})

#: The status of some members in the NDA group, by number.
NDA = {
    **dict.fromkeys(range(1, 6), Membership.Status.MEMBER),
    6: Membership.Status.PENDING,
    7: Membership.Status.PENDING_TERMS,
    15: Membership.Status.MEMBER,
}

#: The countries, which members have in turn by their number.
COUNTRIES = ("BR", "DE", "IN")

#: Two members with one mailbox, and one whose domain is blocked at the sandbox Basket.
SHARED, BLOCKED = (13, 14), 11


def username_of(number: int) -> str:
    """Return the name by which a member signs in."""
    return f"member-{number:02}"


def address_of(number: int) -> str:
    """Return a member's address."""
    if number in SHARED:
        return "shared@example.com"
    return f"{username_of(number)}@{'blocked.' if number == BLOCKED else ''}example.com"


class Command(BaseCommand):
    """Adds what is missing and changes nothing else, so it can run many times."""

    help = "Adds demo members and an admin with known passwords; for development only."

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Add the admin and the members.

        :raises CommandError: outside development.
        """
        if not settings.DEBUG:
            raise CommandError(
                "demo_data adds an admin whose password everybody knows. "
                "It runs only where DEBUG is on."
            )
        founder = self._admin()
        password = make_password(PASSWORD)  # once, as it is slow by design
        added = sum(self._add_member(number, founder, password) for number in range(1, MEMBERS + 1))
        added += self._add_manager(founder, password)
        self.stdout.write(f"Added {added} members.")

    def _admin(self) -> UserProfile:
        with transaction.atomic():
            admin = User.objects.filter(username=ADMIN).first() or User.objects.create_superuser(
                ADMIN, "admin@example.com", ADMIN
            )
            return UserProfile.objects.get_or_create(user=admin)[0]

    def _add_member(self, number: int, founder: UserProfile, password: str) -> bool:
        with transaction.atomic():
            user, is_new = User.objects.get_or_create(
                username=username_of(number),
                defaults={"email": address_of(number), "password": password},
            )
            if not is_new:
                return False
            profile = UserProfile.objects.create(
                user=user,
                full_name=f"Member {number:02}",
                country=COUNTRIES[number % len(COUNTRIES)],
            )
            if number not in UNVOUCHED:
                Vouch.objects.create(voucher=founder, vouchee=profile, reason="Demo data")
            if number in NDA:
                group, _ = Group.objects.get_or_create(slug="nda", defaults={"name": "NDA"})
                Membership.objects.create(profile=profile, group=group, status=NDA[number])
            return True

    def _add_manager(self, founder: UserProfile, password: str) -> bool:
        with transaction.atomic():
            user, is_new = User.objects.get_or_create(
                username=MANAGER,
                defaults={"email": f"{MANAGER}@example.com", "password": password},
            )
            if is_new:
                profile = UserProfile.objects.create(user=user, full_name="NDA manager")
                Vouch.objects.create(voucher=founder, vouchee=profile, reason="Demo data")
                manages = Permission.objects.get(codename="change_membership")
                user.user_permissions.add(manages)
            return is_new
