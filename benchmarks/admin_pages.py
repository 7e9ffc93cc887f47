"""Measures the overview, the history and the brakes' pages over large tables."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import quote

#: A thousandth of the events is about a newsletter that is rare, far apart from each other.
RARE = 1000


#: SQL for the numbers from 1 on, on PostgreSQL and SQLite.
NUMBERS = """
    WITH RECURSIVE digits(d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM digits WHERE d < 999),
    numbers(n) AS (
        SELECT a.d * 1000000 + b.d * 1000 + c.d + 1 FROM digits a, digits b, digits c
        WHERE a.d <= MILLIONS
    )
"""


def fill(model: Any, count: int, **expressions: str) -> None:
    """Insert rows made of SQL expressions of ``n``; what is not named gets its default."""
    from django.db import connection, models

    numbers = NUMBERS.replace("MILLIONS", str(count // 1_000_000))
    columns, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        expression = expressions.get(field.attname)
        if expression is None:
            if isinstance(field, models.AutoField):
                continue
            default = None if field.null and not field.has_default() else field.get_default()
            expression = "%s"
            parameters.append(field.get_db_prep_save(default, connection))
        else:
            expression = expression.replace("%", "%%")
        columns.append(f'"{field.column}"')
        values.append(expression)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{model._meta.db_table}" ({", ".join(columns)}) '
            f"{numbers} SELECT {', '.join(values)} FROM numbers WHERE n <= {count:d}",
            parameters,
        )


def fill_all(members: int, events: int) -> None:
    """Members with two subscriptions each, and events over two years."""
    from django.contrib.auth.models import User
    from django.db import connection

    from mozillians_basket.models import Contact, Decision, Event, Member, Subscription
    from project.people.models import UserProfile

    postgres = connection.vendor == "postgresql"
    step = 2 * 365 * 86400 / events
    when = (
        f"now() - n * interval '{step} seconds'"
        if postgres
        else f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || (n * {step}) || ' seconds')"
    )
    true, false = ("TRUE", "FALSE") if postgres else ("1", "0")
    cast = "::jsonb" if postgres else ""
    fill(User, members, username="'member' || n", email="'member' || n || '@example.com'")
    fill(UserProfile, members, user_id="n", is_vouched=f"CASE n % 5 WHEN 0 THEN {false} "
         f"ELSE {true} END")  # fmt: skip
    address = "'member' || n || '@example.com'"
    now = "now()" if postgres else "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    fill(Contact, members, email=address, key=address, settled_at=now)
    fill(Member, members, site_member_id="n", contact_id="n")
    for newsletter in ("mozilla-phone", "mozillians-nda"):
        fill(
            Decision, members, member_id="n", newsletter=f"'{newsletter}'", wanted=true,
            entitled=true if newsletter == "mozilla-phone" else false,
        )  # fmt: skip
        fill(
            Subscription, members, contact_id="n", newsletter=f"'{newsletter}'",
            state="'subscribed'", confirmed_at=now, seen_at=now,
        )  # fmt: skip
    fill(
        Event, events, contact_id=f"1 + (n % {members}) * 7919 % {members}", created_at=when,
        member_id=f"1 + (n % {members}) * 7919 % {members}",
        kind="CASE WHEN n % 50 = 0 THEN 'refused' WHEN n % 100000 = 7 THEN 'parked' "
        "ELSE 'subscribed' END",
        outcome="CASE WHEN n % 50 = 0 THEN 'unavailable' ELSE '' END",
        newsletters=f"(CASE WHEN n % {RARE} = 0 THEN '[\"mozillians-nda\"]' "
        f"ELSE '[\"mozilla-phone\"]' END){cast}",
        cause="CASE WHEN n % 3 = 0 THEN 'verification' ELSE 'people.Vouch created' END",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if postgres else "ANALYZE")


def timed(call: Callable[[], Any], times: int = 5) -> tuple[float, float, float]:
    """Milliseconds of the first call, of the middle one of those after it, and its CPU time."""
    taken, computed = [], []
    for _ in range(times + 1):
        start, cpu = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - start) * 1000)
        computed.append((time.process_time() - cpu) * 1000)
    return taken[0], statistics.median(taken[1:]), statistics.median(computed[1:])


def measure() -> None:
    """Open each page, and print how long it took and how many queries it made."""
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse
    from django.utils import timezone

    from mozillians_basket import tasks
    from mozillians_basket.models import Approval, Status

    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    Status.read()
    overview = reverse("admin:mozillians_basket_status_changelist")
    history = reverse("admin:mozillians_basket_event_changelist")

    def page(name: str, url: str, *, cold: bool = False) -> None:
        def get() -> None:
            if cold:
                cache.clear()
            if client.get(url).status_code != 200:
                raise RuntimeError(url)

        first, middle, cpu = timed(get)
        with CaptureQueriesContext(connection) as queries:
            get()
        slowest = max(float(query["time"]) for query in queries.captured_queries) * 1000
        sys.stdout.write(
            f"{name:42} first {first:7.0f} ms, then {middle:6.0f} ms ({cpu:3.0f} ms CPU), "
            f"{len(queries):3} queries, the slowest {slowest:5.0f} ms\n"
        )

    start = time.perf_counter()
    tasks.count_events()
    sys.stdout.write(f"counting all events: {time.perf_counter() - start:.1f} s\n")
    page("overview", overview)
    page("overview, nothing cached", overview, cold=True)
    page("history", history)
    page("history, page 100", f"{history}?p=100")
    page("history, a frequent kind", f"{history}?kind__exact=subscribed")
    page("history, a rare kind", f"{history}?kind__exact=parked")
    page("history, an outcome", f"{history}?outcome=unavailable")
    page("history, an outcome that never was", f"{history}?outcome=misconfigured")
    page("history, a cause", f"{history}?cause=verification")
    page("history, a cause that never was", f"{history}?cause=reconcile")
    page("history, an actor who did nothing", f"{history}?actor=1")
    page("history, the frequent newsletter", f"{history}?newsletter=mozilla-phone")
    page("history, the rare newsletter", f"{history}?newsletter=mozillians-nda")
    page("history, a newsletter that never was", f"{history}?newsletter=nothing")
    year = (timezone.now() - timedelta(days=400)).isoformat()
    page("history, a year ago", f"{history}?created_at__lte={quote(year)}")
    page(
        "history, a kind a year ago", f"{history}?kind__exact=parked&created_at__lte={quote(year)}"
    )
    page("history, kind and cause", f"{history}?kind__exact=refused&cause=verification")
    page("history, search by key", f"{history}?q=5000")
    page("history, search by name", f"{history}?q=member5000")
    page("history, search by address", f"{history}?q=Member5000@example.com")
    page("history, search for nobody", f"{history}?q=nobody@example.com")
    for kind, page_name in ((Approval.Kind.BRAKE, "removals"), (Approval.Kind.LOSS, "losses")):
        Approval.objects.create(
            newsletter="mozilla-phone", kind=kind, since=timezone.now(), number=1, total=2
        )
        page(str(kind.label), reverse(f"admin:mozillians_basket_status_{page_name}"))


def main() -> None:
    """Fill a database of its own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--postgresql", action="store_true", help="on a server of its own")
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.postgresql:
            from tests.services.servers import PostgreSQL

            server = stack.enter_context(PostgreSQL())
            os.environ["DATABASE_URL"] = server.database_url("postgres")
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        start = time.perf_counter()
        fill_all(options.members, options.events)
        sys.stdout.write(
            f"{options.members:,} members, {options.events:,} events on "
            f"{connections['default'].vendor}, filled in {time.perf_counter() - start:.0f} s\n"
        )
        measure()
        connections.close_all()


if __name__ == "__main__":
    main()
