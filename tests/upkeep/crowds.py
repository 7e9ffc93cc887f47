"""Crowds of members, with ledgers of any size, and what happens to them."""

import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from mozillians_basket import tasks
from mozillians_basket.models import Approval, Contact, Decision, Member, Status, Subscription
from mozillians_basket.rules.rows import DecidedBy, State
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import verification
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from tests.factories import UserProfileFactory, VouchFactory

PHONE, NDA = "mozilla-phone", "mozillians-nda"

#: The sweeps within the two minutes that a person waits, as the sweeper runs every 5 seconds.
SWEEPS = 24


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
    """
    Fill the tables with members who have a newsletter; return the addresses in order.

    As if Basket had confirmed everything two hours ago.
    """
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
    basket.add_people(emails, newsletters=[newsletter])


def subscribed(size: int, newsletter: str = PHONE) -> list[str]:
    """Create members of site and ledger who have a newsletter; return their addresses."""
    return in_ledger(on_site(size, newsletter), newsletter)


def vouched(size: int) -> list[str]:
    """Create vouched members whose newsletter a lookup has seen; return their addresses."""
    vouches = VouchFactory.create_batch(size, voucher=UserProfileFactory.create())
    sweep(2)
    verify()
    emails = [vouch.vouchee.user.email for vouch in vouches]
    seen = Subscription.objects.filter(contact__key__in=emails, seen_at__isnull=False)
    assert seen.filter(newsletter=PHONE).count() == size
    return emails


def sweep(times: int = SWEEPS) -> None:
    """Sweep this often. A sweep that writes nothing is the last one: the next would do the same."""
    for _ in range(times):
        written: list[str] = []
        with connection.execute_wrapper(partial(note_write, written)):
            tasks.sweep()
        if not written:
            break


def note_write(
    written: list[str],
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,
    context: Any,
) -> Any:
    """Keep a statement that changes a row, other than the note of the sweep itself."""
    if sql.startswith(("INSERT", "UPDATE", "DELETE")) and Status._meta.db_table not in sql:
        written.append(sql)
    return execute(sql, params, many, context)


def verify() -> None:
    """Look up all members, and let the worker conclude."""
    verification.verify(None)
    sweep(4)


def look_up(*emails: str) -> None:
    """Make contacts due for a lookup, as after a change."""
    Contact.objects.filter(key__in=emails).update(touched_at=timezone.now(), not_before=None)


def lose(basket: SandboxServer, what: str, emails: Iterable[str]) -> None:
    """Let Basket lose people, or the newsletter of people."""
    if what == "people":
        basket.forget_people()
    for email in emails if what == "newsletter" else ():
        basket.put_person(email, remove=[PHONE])


def opt_outs() -> int:
    return Subscription.objects.filter(state=State.OPTED_OUT).count()


def question() -> Approval | None:
    return Approval.objects.filter(kind=Approval.Kind.LOSS, closed_at=None).first()


def holders(basket: SandboxServer, newsletter: str = PHONE) -> set[str]:
    """Name the people who have a newsletter at Basket."""
    return {email for email, who in basket.people.items() if newsletter in who.newsletters}
