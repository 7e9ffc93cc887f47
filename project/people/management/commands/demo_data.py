"""``manage.py demo_data``: members to look at, and an admin, for a developer's own database."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch

#: Name and password of the admin: for a database that nobody else can reach.
ADMIN = "admin"

MEMBERS = 20

#: How many of them, counted from the first, are vouched.
VOUCHED = 14

#: How far some of them have come into the NDA group, by number.
NDA = {
    **dict.fromkeys(range(1, 6), Membership.Status.MEMBER),
    6: Membership.Status.PENDING,
    7: Membership.Status.PENDING_TERMS,
    15: Membership.Status.MEMBER,
}


class Command(BaseCommand):
    """Adds what is missing. What is there stays as it is, so it can be run again and again."""

    help = "Adds demo members and an admin with a known password; for development only."

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
        added = sum(self._add_member(number, founder) for number in range(1, MEMBERS + 1))
        self.stdout.write(f"Added {added} members.")

    def _admin(self) -> UserProfile:
        with transaction.atomic():
            admin = User.objects.filter(username=ADMIN).first() or User.objects.create_superuser(
                ADMIN, "admin@example.com", ADMIN
            )
            return UserProfile.objects.get_or_create(user=admin)[0]

    def _add_member(self, number: int, founder: UserProfile) -> bool:
        username = f"member-{number:02}"
        with transaction.atomic():
            user, is_new = User.objects.get_or_create(
                username=username, defaults={"email": f"{username}@example.com"}
            )
            if not is_new:
                return False
            user.set_unusable_password()
            user.save(update_fields=["password"])
            profile = UserProfile.objects.create(user=user, full_name=f"Member {number:02}")
            if number <= VOUCHED:
                Vouch.objects.create(voucher=founder, vouchee=profile, reason="Demo data")
            if number in NDA:
                Membership.objects.create(
                    profile=profile, group=Group.objects.get(slug="nda"), status=NDA[number]
                )
            return True
