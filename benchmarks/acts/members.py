"""Makes the members of a site."""

import io
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from waffle.models import Switch

from benchmarks.filling import fill
from project.people.models import UserProfile

SWITCH = "BASKET_SWITCH_ENABLED"

#: So that keys of users and profiles are not the same by chance.
FIRST_USER = 1_000


def migrate() -> None:
    """Make the tables, and turn the switch on."""
    call_command("migrate", verbosity=0)
    Switch.objects.create(name=SWITCH, active=True)


def make(count: int) -> None:
    """Make members who are nobody yet, with the keys 1 to ``count``."""
    fill(
        User,
        count,
        id=f"n + {FIRST_USER}",
        username="'member' || n",
        email="'member' || n || '@example.com'",
        is_active="true",
    )
    fill(UserProfile, count, id="n", user_id=f"n + {FIRST_USER}", full_name="'Member ' || n")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    adopt()


def adopt() -> None:
    """Let the app know the members who are there, as after its installation."""
    if apps.is_installed("mozillians_basket"):
        call_command("basket_reconcile", "--apply", stdout=io.StringIO())


def turn(*, on: bool) -> None:
    """Turn the switch."""
    switch = Switch.objects.get(name=SWITCH)
    switch.active = on
    switch.save()


def unsettled() -> list[str]:
    """What the app has still to do, or has given up; empty at a site without it."""
    if not apps.is_installed("mozillians_basket"):
        return []
    from tests.services.outcome import stuck
    from tests.services.site import unsettled

    return [*unsettled()[:20], *stuck()[:20]]


def installed() -> dict[str, Any]:
    """Whether the app is there at all, even if only imported."""
    import sys

    return {"imported": "mozillians_basket" in sys.modules}
