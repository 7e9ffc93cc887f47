"""Ledgers of any size, filled by SQL as if Basket had confirmed everything two hours ago."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from mozillians_basket.models import Contact, Decision, Member, Subscription
from mozillians_basket.rules.rows import DecidedBy, State
from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Group, Membership
from project.people.models import UserProfile

PHONE, NDA = "mozilla-phone", "mozillians-nda"


def on_site(size: int, newsletter: str) -> list[int]:
    """Create members of the site who meet the policy of a newsletter, without signals."""
    users = [User(username=f"crowd{n}", email=f"crowd{n}@example.com") for n in range(size)]
    profiles = [
        UserProfile(user=user, is_vouched=newsletter == PHONE)
        for user in User.objects.bulk_create(users)
    ]
    UserProfile.objects.bulk_create(profiles)
    if newsletter == NDA:
        group, _made = Group.objects.get_or_create(slug="nda", name="NDA")
        Membership.objects.bulk_create(
            [Membership(profile=profile, group=group, status="member") for profile in profiles]
        )
    return [profile.pk for profile in profiles]


def in_ledger(keys: Iterable[int], newsletter: str) -> list[str]:
    """Fill the tables with members who have a newsletter; return the addresses in order."""
    keys, now = list(keys), timezone.now()
    seen_at, first = now - timedelta(hours=2), now - timedelta(days=400)
    moments = [first + timedelta(seconds=number) for number in range(len(keys))]
    emails = [f"crowd{number}@example.com" for number in range(len(keys))]
    Contact.objects.bulk_create(
        [
            Contact(key=email, email=email, token=str(uuid.UUID(int=number)), looked_up_at=seen_at)
            for number, email in enumerate(emails)
        ],
        batch_size=5000,
    )
    contacts = list(Contact.objects.order_by("pk").values_list("pk", flat=True))
    Member.objects.bulk_create(
        [
            Member(site_member_id=key, contact_id=contact)
            for key, contact in zip(keys, contacts, strict=True)
        ],
        batch_size=5000,
    )
    members = list(Member.objects.order_by("pk").values_list("pk", flat=True))
    Decision.objects.bulk_create(
        [
            Decision(
                member_id=member,
                newsletter=newsletter,
                entitled=True,
                wanted=True,
                decided_by=DecidedBy.POLICY,
                decided_at=at,
            )
            for member, at in zip(members, moments, strict=True)
        ],
        batch_size=5000,
    )
    Subscription.objects.bulk_create(
        [
            Subscription(
                contact_id=contact,
                newsletter=newsletter,
                state=State.SUBSCRIBED,
                confirmed_at=at,
                seen_at=seen_at,
                decided=True,
            )
            for contact, at in zip(contacts, moments, strict=True)
        ],
        batch_size=5000,
    )
    analyze()
    return emails


def analyze() -> None:
    """Let PostgreSQL know the sizes of the tables, as autovacuum does on a site."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def multiplied(size: int) -> None:
    """Copy the contacts and subscriptions up to this number, confirmed long before."""
    number = Contact.objects.count()
    confirmed_at = timezone.now() - timedelta(days=800)
    while number < size:
        for model, changed in ((Contact, ("id", "key")), (Subscription, ("id", "contact_id"))):
            columns = [str(field.column) for field in model._meta.concrete_fields]
            values = [
                column
                if column not in changed
                else f"key || '.{number}'"
                if column == "key"
                else f"{column} + {number}"
                for column in columns
            ]
            table, others = model._meta.db_table, ", ".join(columns)
            with connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {table} ({others}) SELECT {', '.join(values)} FROM {table}"
                )
        rows = Subscription.objects.order_by("pk")
        rows.filter(pk__gte=rows[number].pk).update(confirmed_at=confirmed_at)
        number *= 2
    analyze()


def at_basket(basket: SandboxServer, emails: Iterable[str], newsletter: str) -> None:
    """Give people at Basket a newsletter."""
    for email in emails:
        basket.put_person(email, newsletters=[newsletter])


def subscribed(size: int, newsletter: str = PHONE) -> list[str]:
    """Create members of site and ledger who have a newsletter; return their addresses."""
    return in_ledger(on_site(size, newsletter), newsletter)
