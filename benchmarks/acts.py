"""
The acts within one of the sites: ``python acts.py NAME '{"its": "arguments"}'``.

Each act runs in a fresh process with that site's settings, and prints its result as JSON. The
compared sites differ in code and environment, so this module imports nothing of the project
before Django is set up. Acts for all sites use only what the sites have in common.
"""

import io
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import django
from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

PHONE, NDA = "mozilla-phone", "mozillians-nda"
EMAIL = "'member' || n || '@example.com'"

#: The first key of users, so that keys of users and profiles are not the same by chance.
FIRST_USER = 1_000

HISTORY = "mozillians_basket_event_changelist"
PAGES: dict[str, tuple[str, list[int], str]] = {
    "a member": ("people_userprofile_change", [5000], ""),
    "a member's newsletters": ("people_userprofile_basket", [5000], ""),
    "the stored data of a member": ("people_userprofile_basket_data", [5000], ""),
    "the overview": ("mozillians_basket_status_changelist", [], ""),
    "the history": (HISTORY, [], ""),
    "the history, page 50": (HISTORY, [], "p=50"),
    "the history of one member": (HISTORY, [], "q=5000"),
    "the history of an address": (HISTORY, [], "q=Member5000@example.com"),
    "the history, a frequent kind": (HISTORY, [], "kind__exact=subscribed"),
    "the history, a rare kind": (HISTORY, [], "kind__exact=parked"),
    "the history, a rare newsletter": (HISTORY, [], f"newsletter={NDA}"),
    "the history, a cause that never was": (HISTORY, [], "cause=reconcile"),
}
"""The name of an admin's URL, its arguments, and a query."""


def migrate() -> None:
    """Create the tables, and turn the switch on."""
    from waffle.models import Switch

    call_command("migrate", verbosity=0)
    Switch.objects.create(name="BASKET_SWITCH_ENABLED", active=True)


def make(count: int) -> None:
    """Create members who are not vouched, with the keys 1 to ``count``; the app knows them."""
    make_members(count, vouched="false")
    analyze()
    if apps.is_installed("mozillians_basket"):
        call_command("basket_reconcile", "--apply", stdout=io.StringIO())


def make_members(count: int, vouched: str) -> None:
    """Fill the site's tables of members."""
    from project.people.models import UserProfile

    user = apps.get_model("auth.User")
    fill(user, count, id=f"n + {FIRST_USER}", username=EMAIL, email=EMAIL, is_active="true")
    fill(UserProfile, count, id="n", user_id=f"n + {FIRST_USER}", is_vouched=vouched)


def vouch(first: int, count: int, pause: float = 0.0) -> list[float]:
    """Vouch for members, one transaction each; return the times of the commits."""
    from project.people.models import Vouch

    moments = []
    for number in range(first, first + count):
        with transaction.atomic():
            Vouch.objects.create(vouchee_id=number)
        moments.append(time.time())
        time.sleep(pause)
    return moments


def unsettled() -> list[str]:
    """List rows with open or parked work of the app; empty at a site without it."""
    if not apps.is_installed("mozillians_basket"):
        return []
    from mozillians_basket.models import Contact, Touch

    if any(field.name == "parked" for field in Contact._meta.fields):
        waiting = Q(touched_at__isnull=False) | ~Q(lease="") | Q(parked=True)
    else:  # the earlier core
        waiting = Q(touched_at__gt=F("settled_at")) | Q(settled_at=None)
        waiting |= Q(leased_until__gt=timezone.now()) | Q(parked_at__isnull=False)
    left = [*Touch.objects.all()[:5], *Contact.objects.filter(waiting)[:5]]
    return [f"{type(row).__name__} {row.pk}" for row in left]


def prepared(kind: str, member: int) -> Callable[[], object]:
    """Prepare a request about a member: save a vouch or a name as forms do, or log in."""
    from project.people.models import UserProfile, Vouch

    profile = UserProfile.objects.select_related("user").get(pk=member)
    if kind == "vouch":
        return lambda: Vouch.objects.create(vouchee_id=member)
    if kind == "login":
        return lambda: Client().force_login(profile.user)
    profile.full_name += "."
    return profile.save


def timed(kind: str, first: int, count: int, per_second: float = 0.0) -> list[float]:
    """Time this kind of request for one member after the other; return the milliseconds of each."""
    connection.ensure_connection()
    times, began = list[float](), time.perf_counter()
    for number in range(count):
        if per_second:
            time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        save = prepared(kind, first + number)
        at = time.perf_counter()
        with transaction.atomic():
            save()
        times.append(1000 * (time.perf_counter() - at))
    return times


def make_settled(count: int, *, subscribed: bool = True, events: int = 0) -> None:
    """
    Create members as if the app had carried all of them to Basket, and a history.

    Either all are vouched, in the NDA group and subscribed to both newsletters, or none is yet.
    """
    from mozillians_basket.models import Contact, Decision, Event, Member, Subscription
    from project.groups.models import Group, Membership
    from project.people.models import Vouch

    long_ago = f"'{(timezone.now() - timedelta(days=30)).isoformat()}'::timestamptz"
    make_members(count, vouched="true" if subscribed else "false")
    fill(Contact, count, id="n", email=EMAIL, key=EMAIL, settled_at=long_ago)
    fill(Member, count, id="n", site_member_id="n", contact_id="n")
    if subscribed:
        group = str(Group.objects.get(slug="nda").pk)
        fill(Vouch, count, vouchee_id="n", date=long_ago)
        fill(Membership, count, profile_id="n", group_id=group, status="'member'")
    for newsletter in (f"'{PHONE}'", f"'{NDA}'") if subscribed else ():
        fill(Decision, count, member_id="n", newsletter=newsletter, entitled="true",
             wanted="true", decided_by="'policy'", decided_at=long_ago)  # fmt: skip
        fill(Subscription, count, contact_id="n", newsletter=newsletter, state="'subscribed'",
             confirmed_at=long_ago, seen_at=long_ago)  # fmt: skip
    if events:
        rare = f"CASE WHEN n % 1000 = 0 THEN '{NDA}' ELSE '{PHONE}' END"
        somebody = f"1 + (n * 7919::bigint) % {count}"
        fill(Event, events, contact_id=somebody, member_id=somebody,
             kind="CASE WHEN n % 100000 = 7 THEN 'parked' ELSE 'subscribed' END",
             newsletters=f"jsonb_build_array({rare})", cause="'people.Vouch created'",
             created_at="now() - n * interval '3 seconds'")  # fmt: skip
    analyze()


def make_touched(count: int) -> None:
    """Create vouched members, and touches about it that no worker has drained yet."""
    from mozillians_basket.models import Touch
    from project.people.models import UserProfile

    make(count)
    UserProfile.objects.update(is_vouched=True)
    fill(Touch, count, member_id="n", source="'people.Vouch'", cause="'created'")
    analyze()


def sweeps(due: int, rounds: int) -> dict[str, list[float]]:
    """Time sweeps in a warm process like a worker's: with this many contacts due, and with none."""
    from mozillians_basket.models import Contact, Subscription
    from mozillians_basket.tasks import sweep

    def milliseconds() -> float:
        began = time.perf_counter()
        sweep()
        return 1000 * (time.perf_counter() - began)

    milliseconds()
    step = Contact.objects.count() // due
    keys = range(step, step * due + 1, step)
    lacking = Subscription.objects.filter(contact__in=keys, newsletter=PHONE)
    lacking.update(state="unsubscribed", confirmed_at=None, seen_at=None)
    Contact.objects.filter(pk__in=keys).update(touched_at=timezone.now())
    busy = [milliseconds() for _ in range(rounds)]
    Contact.objects.filter(touched_at__isnull=False).update(touched_at=None)
    return {"due": busy, "idle": [milliseconds() for _ in range(rounds)]}


def reconcile(differences: int) -> dict[str, Any]:
    """
    Let ``basket_reconcile --apply`` find differences without a signal, half in each direction.

    :return: its seconds, the peak memory of the process, and the number of contacts due then.
    """
    from mozillians_basket.ledger import queue
    from mozillians_basket.models import Decision, Subscription
    from project.people.models import UserProfile

    half = differences // 2
    UserProfile.objects.filter(pk__lte=half).update(is_vouched=False)
    gaining = Decision.objects.filter(newsletter=NDA, member__gt=half, member__lte=differences)
    gaining.update(entitled=False, wanted=False)
    lacking = Subscription.objects.filter(newsletter=NDA, contact__in=gaining.values("member"))
    lacking.update(state="unsubscribed", confirmed_at=None, seen_at=None)
    began = time.perf_counter()
    call_command("basket_reconcile", "--apply", stdout=io.StringIO())
    seconds = time.perf_counter() - began
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    return {"seconds": seconds, "memory": int(peak) / 1024, "due": queue.due().count()}


def admin() -> Client:
    """Return a browser in which an admin is logged in."""
    call_command("collectstatic", interactive=False, verbosity=0)
    user = apps.get_model("auth.User")(username="admin", is_staff=True, is_superuser=True)
    user.save()
    client = Client(headers={"X-Forwarded-Proto": "https"})
    client.force_login(user)
    return client


def pages(rounds: int) -> dict[str, dict[str, float]]:
    """Open each page: milliseconds of the first time, the median of later times, and statements."""
    client, found = admin(), {}
    for name, (path, arguments, query) in PAGES.items():
        url, took = f"{reverse(f'admin:{path}', args=arguments)}?{query}", []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(url, secure=True)
            took.append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 200, f"{url}: {answer.status_code}"
        found[name] = {"ms": median(took[1:]), "first": took[0], "statements": len(captured)}
    return found


def subscribe_all(newsletter: str) -> dict[str, Any]:
    """Select all members and order to subscribe them: seconds of each request, and the time."""
    client, url = admin(), reverse("admin:people_userprofile_changelist")
    choice = {"action": "subscribe_user_to_basket", "select_across": "1", "_selected_action": "1"}
    moments = [time.time()]
    chosen = client.post(url, choice, secure=True)
    moments.append(time.time())
    client.get(chosen["Location"], secure=True)
    moments.append(time.time())
    ordered = client.post(chosen["Location"], {"newsletters": [newsletter]}, secure=True)
    moments.append(time.time())
    assert ordered.status_code == 302, "the order was not taken"
    return {"seconds": [end - start for start, end in pairwise(moments)], "at": moments[2]}


def fill(model: type[models.Model], count: int, **expressions: str) -> None:
    """
    Insert rows from SQL expressions of ``n``, the row's number from 1 on, in the database.

    Fields without an expression get NULL if they allow it, or else the model's default. Large
    tables get their indexes afterwards.
    """
    columns, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        expression = expressions.pop(field.attname, None)
        if expression is None:
            if isinstance(field, models.AutoField) or field.generated:
                continue
            default = None if field.null and not field.has_default() else field.get_default()
            expression = "%s"
            parameters.append(field.get_db_prep_save(default, connection))
        else:
            expression = expression.replace("%", "%%")
        columns.append(connection.ops.quote_name(str(field.column)))
        values.append(expression)
    if expressions:
        raise ValueError(f"{model.__name__} has no {', '.join(expressions)}")
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND %s AND indexname "
            "NOT IN (SELECT conname FROM pg_constraint)",
            [table, count >= 100_000],
        )
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("SET session_replication_role = replica")  # foreign keys are not checked
        cursor.execute(
            f'INSERT INTO "{table}" ({", ".join(columns)}) SELECT {", ".join(values)} '
            f"FROM generate_series(1, {count:d}) AS n",
            parameters,
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
        for _name, definition in indexes:
            cursor.execute(definition)


def analyze() -> None:
    """Do the work of autovacuum for the new rows."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(f"\n{json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2])))}\n")
