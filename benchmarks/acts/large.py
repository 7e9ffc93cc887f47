"""Sites with many members, filled by SQL as if the app had carried all of them to Basket."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from benchmarks.acts.members import FIRST_USER
from benchmarks.filling import fill
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch

PHONE, NDA = "mozilla-phone", "mozillians-nda"


def make(count: int, *, subscribed: bool = True) -> None:
    """
    Members with the keys 1 to ``count``, all known to the app and settled.

    Vouched, in the NDA group and subscribed to both newsletters; or nobody yet.
    """
    from mozillians_basket.models import Contact, Decision, Member, Subscription

    email = "'member' || n || '@example.com'"
    group = Group.objects.get(slug="nda").pk
    long_ago = f"'{(timezone.now() - timedelta(days=30)).isoformat()}'::timestamptz"
    fill(
        User, count, id=f"n + {FIRST_USER}", username="'member' || n", email=email, is_active="true"
    )
    vouched = "true" if subscribed else "false"
    fill(UserProfile, count, id="n", user_id=f"n + {FIRST_USER}", is_vouched=vouched)
    fill(Contact, count, id="n", email=email, key=email, settled_at=long_ago, looked_up_at=long_ago)
    fill(Member, count, id="n", site_member_id="n", contact_id="n")
    if subscribed:
        fill(Vouch, count, vouchee_id="n", date=long_ago)
        fill(Membership, count, profile_id="n", group_id=str(group), status="'member'")
    for newsletter in (PHONE, NDA) if subscribed else ():
        fill(
            Decision, count, member_id="n", newsletter=f"'{newsletter}'", entitled="true",
            wanted="true", decided_by="'policy'", decided_at=long_ago,
        )  # fmt: skip
        fill(
            Subscription, count, contact_id="n", newsletter=f"'{newsletter}'",
            state="'subscribed'", confirmed_at=long_ago, seen_at=long_ago,
        )  # fmt: skip
    vacuum()


def make_events(count: int, members: int) -> None:
    """History: so many events, spread over the members."""
    from mozillians_basket.models import Event

    fill(
        Event, count, contact_id=f"1 + (n * 7919::bigint) % {members}",
        member_id=f"1 + (n * 7919::bigint) % {members}", kind="'subscribed'",
        newsletters=f"'[\"{PHONE}\"]'::jsonb", cause="'people.Vouch created'",
        created_at="now() - n * interval '3 seconds'",
    )  # fmt: skip
    vacuum()


def differ(count: int) -> None:
    """Make so many members another case than the ledger says, past all signals: half each way."""
    half = count // 2
    vouched = UserProfile.objects.filter(pk__lte=half)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_vouch WHERE vouchee_id <= %s", [half])
    vouched.update(is_vouched=False)
    from mozillians_basket.models import Decision, Subscription

    gaining = Decision.objects.filter(newsletter=NDA, member__gt=half, member__lte=count)
    gaining.update(entitled=False, wanted=False)
    lacking = Subscription.objects.filter(newsletter=NDA, contact__gt=half, contact__lte=count)
    lacking.update(state="unsubscribed", confirmed_at=None, seen_at=None)


def make_due(count: int) -> None:
    """Make so many contacts due, spread over all: each has something to be sent."""
    from mozillians_basket.models import Contact, Subscription

    step = max(1, Contact.objects.count() // count)
    keys = range(step, step * count + 1, step)
    Contact.objects.filter(pk__in=keys).update(touched_at=timezone.now())
    Subscription.objects.filter(contact__in=keys, newsletter=PHONE).update(
        state="unsubscribed", confirmed_at=None, seen_at=None
    )


def due() -> int:
    """How many contacts are due."""
    from mozillians_basket.ledger import queue

    return queue.due().count()


def vacuum() -> None:
    """What autovacuum would have done since."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
