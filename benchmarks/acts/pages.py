"""Pages of the admin, asked for as a browser does."""

import time
from collections.abc import Callable
from html.parser import HTMLParser
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

PAGES: dict[str, tuple[str, tuple[int, ...], str]] = {
    "a member": ("admin:people_userprofile_change", (5000,), ""),
    "the members": ("admin:people_userprofile_changelist", (), ""),
    "a contact": ("admin:mozillians_basket_contact_change", (5000,), ""),
    "the overview": ("admin:mozillians_basket_status_changelist", (), ""),
    "the contacts": ("admin:mozillians_basket_contact_changelist", (), ""),
    "the history": ("admin:mozillians_basket_event_changelist", (), ""),
    "the history, page 50": ("admin:mozillians_basket_event_changelist", (), "p=50"),
    "the history of one member": ("admin:mozillians_basket_event_changelist", (), "q=5000"),
    "the history, one kind": (
        "admin:mozillians_basket_event_changelist", (), "kind__exact=subscribed",
    ),
}  # fmt: skip


def _admin() -> Client:
    call_command("collectstatic", interactive=False, verbosity=0)
    admin, _ = User.objects.get_or_create(
        username="admin", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(headers={"X-Forwarded-Proto": "https"})
    client.force_login(admin)
    return client


def times(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each page that there is, the median, and its statements."""
    client = _admin()
    found = {}
    for name, (path, arguments, query) in PAGES.items():
        try:
            url = reverse(path, args=arguments) + (f"?{query}" if query else "")
        except NoReverseMatch:
            continue
        took = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(url, secure=True)
                assert answer.status_code == 200, f"{url}: {answer.status_code}"
            took.append(1000 * (time.perf_counter() - began))
        found[name] = {"ms": median(took[1:]), "first": took[0], "statements": len(captured)}
    return found


def subscribe_all(newsletter: str) -> dict[str, Any]:
    """Select all members and order to subscribe them: seconds of each request on the way."""
    client = _admin()
    url = reverse("admin:people_userprofile_changelist")
    choice = {
        "action": "subscribe_user_to_basket", "select_across": "1", "index": "0",
        "_selected_action": ["1"],
    }  # fmt: skip
    connection.ensure_connection()

    def request(call: Callable[..., Any], path: str, *data: object) -> tuple[Any, float]:
        began = time.perf_counter()
        answer = call(path, *data, secure=True)
        assert answer.status_code in {200, 302}, answer.status_code
        return answer, time.perf_counter() - began

    chosen, selecting = request(client.post, url, choice)
    assert chosen.status_code == 302, "the action leads to no page of its own"
    asked, asking = request(client.get, chosen.url)
    moment = time.time()
    fields = {**Fields(asked.content.decode()).found, "newsletters": [newsletter]}
    ordered, ordering = request(client.post, chosen.url, fields)
    assert ordered.status_code == 302, "the order was not taken"
    return {
        "selecting": selecting,
        "asking": asking,
        "ordering": ordering,
        "ordered_at": moment,
    }


class Fields(HTMLParser):
    """The hidden fields and submit buttons of a page, by name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a browser would send without being asked."""
        given = dict(attrs)
        name = given.get("name")
        if tag in {"input", "button"} and name and given.get("type") in {"hidden", "submit"}:
            self.found.setdefault(name, []).append(given.get("value") or "")
