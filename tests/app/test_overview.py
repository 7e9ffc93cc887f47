"""The overview shows the state with a number of queries that does not grow."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.cache import cache, caches
from django.urls import reverse
from django.utils import timezone
from waffle.models import Switch
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Decision,
    Event,
    HourlyCount,
    Status,
    Subscription,
    Touch,
)
from mozillians_basket.upkeep import statistics
from tests.factories import VouchFactory

OVERVIEW = reverse("admin:mozillians_basket_status_changelist")
#: Session, user, switch and its page, status, questions, queue and touches, newsletters, charts,
#: bulk requests; and a savepoint around it all.
QUERIES = 23


@pytest.fixture(autouse=True)
def _empty_caches():
    for cached in caches.all(initialized_only=True):
        cached.clear()


def text_of(response):
    """Return the text of a page, without tags."""
    html = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def row_of(response, heading):
    """Return the cells beside a row's heading."""
    rows = re.findall(
        r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', response.content.decode(), re.DOTALL
    )
    found = [cells for name, cells in rows if re.sub(r"<[^>]+>", "", name).strip() == heading]
    return re.findall(r"<td[^>]*>(.*?)</td>", found[0], re.DOTALL)


def test_a_site_on_which_nothing_has_happened_has_an_overview(admin_client, switch_on):
    page = admin_client.get(OVERVIEW)

    text = text_of(page)
    assert "On: changes are sent to Basket." in text
    assert "Closed: Basket answers." in text
    assert "Nobody waits." in text
    assert "The sweeper has never run" in text
    assert row_of(page, "mozilla-phone") == ["0"] * 7


def test_it_is_read_with_the_permission_only(staff):
    assert staff("view_event").get(OVERVIEW).status_code == 403
    assert staff("view_status").get(OVERVIEW).status_code == 200


def test_subscriptions_are_counted_by_newsletter(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(3)
    now = timezone.now()
    phone = Subscription.objects.filter(confirmed_at__isnull=False).order_by("pk")
    first, second, third = phone
    phone.filter(pk=first.pk).update(state="opted out", confirmed_at=None, opted_out_at=now)
    Decision.objects.filter(member__contact=first.contact_id).update(opted_out_at=now)
    phone.filter(pk=second.pk).update(missing_at=now)
    Contact.objects.filter(pk=third.contact_id).update(optin=False)
    Event.objects.create(
        kind=Event.Kind.OPTED_OUT, outcome="inferred", newsletters=["mozilla-phone"]
    )

    page = admin_client.get(OVERVIEW)

    assert row_of(page, "mozilla-phone") == ["2", "1", "1", "1", "0", "1", "1"]
    assert row_of(page, "mozillians-nda") == ["0"] * 7
    assert "as of" in text_of(page)


def test_lost_and_refused_subscriptions_are_counted(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(2)
    first, second = Subscription.objects.filter(confirmed_at__isnull=False)
    Subscription.objects.filter(pk=first.pk).update(state="missing at Basket")
    Subscription.objects.filter(pk=second.pk).update(state="refused", confirmed_at=None)

    page = admin_client.get(OVERVIEW)

    assert row_of(page, "mozilla-phone") == ["2", "0", "0", "0", "1", "1", "0"]
    assert row_of(page, "Refused")[0] == "1"


def test_counts_over_all_subscriptions_are_kept_for_a_minute(basket, admin_client, commit):
    admin_client.get(OVERVIEW)
    with commit():
        VouchFactory()

    soon = admin_client.get(OVERVIEW)
    cache.clear()
    later = admin_client.get(OVERVIEW)

    assert row_of(soon, "mozilla-phone")[0] == "0"
    assert row_of(later, "mozilla-phone")[0] == "1"


def test_a_cache_that_is_away_does_not_take_the_overview_along(admin_client, settings):
    settings.CACHES = {
        **settings.CACHES,
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        },
    }

    assert admin_client.get(OVERVIEW).status_code == 200


def test_queue_is_counted_by_the_reason_for_waiting(admin_client, db):
    now = timezone.now()
    hour = timedelta(hours=1)
    due = {"touched_at": now - hour}

    def contact(**fields):
        key = f"{Contact.objects.count()}@example.com"
        return Contact.objects.create(email=key, key=key, **fields)

    failing = {"problem": "unavailable", "failing_since": now}
    contact(**due)
    contact(**due, lease="share-1", leased_until=now + hour)
    contact(**due, not_before=now + hour, attempts=1, **failing)
    contact(**due, not_before=now + hour)
    contact(**due, parked=True, **failing)
    refused = contact(settled_at=now)
    Subscription.objects.create(contact=refused, newsletter="mozilla-phone", state="refused")
    contact(settled_at=now)
    Touch.objects.all().delete()
    Touch.objects.create(source="people.Vouch", cause="created", created_at=now)

    queue = statistics.queue()

    assert (queue.due, queue.under_way, queue.failed, queue.resting) == (1, 1, 1, 1)
    assert (queue.parked, queue.refused, queue.touches) == (1, 1, 1)
    assert (queue.oldest, queue.oldest_touch) == (now - hour, now)
    assert row_of(admin_client.get(OVERVIEW), "Due")[0] == "1"


def test_charts_and_tables_show_throughput_and_failures(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(2)
    Event.objects.create(kind=Event.Kind.PARKED)
    hour = timezone.now() - timedelta(days=3)
    HourlyCount.objects.create(hour=hour, kind=Event.Kind.SUBSCRIBED, number=5)

    html = admin_client.get(OVERVIEW).content.decode()

    charts = re.findall(r'<svg class="basket-chart".*?</svg>', html, re.DOTALL)
    assert len(charts) == 2
    assert all('role="img"' in chart and "<desc" in chart for chart in charts)
    assert "Carried to Basket: 2 in all" in charts[0]
    assert "Refused, parked or missing: 1 in all" in charts[0]
    assert "Carried to Basket: 7 in all" in charts[1]
    assert html.count("<details>") == html.count("<caption>The last") == 2
    assert "style=" not in re.sub(r"<svg.*?</svg>", "", html.split("<main", 1)[1], flags=re.DOTALL)


def test_thousands_are_told_apart(admin_client, switch_on):
    hour = timezone.now() - timedelta(days=3)
    HourlyCount.objects.create(hour=hour, kind=Event.Kind.SUBSCRIBED, number=98765)
    BulkRequest.objects.create(
        action="subscribe", newsletters=["mozilla-phone"], total=100_000, state="running"
    )

    text = text_of(admin_client.get(OVERVIEW))

    assert "Carried to Basket: 98,765 in all, 98,765 at most" in text
    assert "100,000 members" in text
    assert "98765" not in text


def test_switch_is_linked_for_admins_who_may_turn_it(staff, switch_on):
    link = reverse("admin:waffle_switch_change", args=[Switch.objects.get(name=SWITCH).pk])

    may = staff("view_status", "change_switch").get(OVERVIEW).content.decode()
    may_not = staff("view_status", "view_switch").get(OVERVIEW).content.decode()

    assert link in may
    assert "Turn the switch off" in may
    assert link not in may_not


def test_a_switch_that_was_never_made_can_be_made(admin_client):
    with override_switch(SWITCH, active=False):
        Switch.objects.all().delete()
        html = admin_client.get(OVERVIEW)

    assert reverse("admin:waffle_switch_add") in html.content.decode()
    assert row_of(html, "Switch")[0].startswith("Off: nothing is sent to Basket.")


def test_form_of_a_new_switch_has_its_name_filled_in(admin_client):
    with override_switch(SWITCH, active=False):
        Switch.objects.all().delete()
        (link,) = re.findall(r'href="([^"]+)"', row_of(admin_client.get(OVERVIEW), "Switch")[0])
        form = admin_client.get(unescape(link)).context["adminform"].form

    assert (form.initial["name"], form["active"].value()) == (SWITCH, "on")


def test_an_open_breaker_is_explained(admin_client, switch_on):
    Status.read()
    Status.objects.update(
        opened_at=timezone.now(),
        reason="misconfigured",
        http_status=401,
        error_code="7",
        next_probe_at=timezone.now() + timedelta(minutes=1),
        probes=3,
    )

    text = text_of(admin_client.get(OVERVIEW))

    assert "The breaker has been open since" in text
    assert "Basket refuses this site. HTTP 401. Basket's code 7." in text.replace("&#x27;", "'")
    assert "after 3 so far" in text


def test_open_questions_and_unknown_newsletters_are_told(admin_client, switch_on):
    before = admin_client.get(OVERVIEW)
    Status.objects.update(unknown_newsletters={"mozillians-nda": timezone.now().isoformat()})
    for kind, number in (("brake", 4), ("loss", 7)):
        Approval.objects.create(
            newsletter="mozilla-phone", kind=kind, since=timezone.now(), number=number, total=8
        )

    after = admin_client.get(OVERVIEW)

    assert row_of(before, "Removals") == ["Nothing is held back."]
    assert row_of(before, "Losses at Basket") == ["None that need a decision."]
    (removals,), (losses,) = row_of(after, "Removals"), row_of(after, "Losses at Basket")
    assert "Policies would remove 4 of 8 subscriptions to mozilla-phone" in removals
    assert "7 of 8 subscriptions to mozilla-phone are missing at Basket" in losses
    assert "mozillians-nda" in row_of(after, "Unknown newsletters")[0]


def test_a_sweeper_that_stopped_is_a_warning(admin_client, switch_on):
    tasks.sweep()
    well = text_of(admin_client.get(OVERVIEW))
    Status.objects.update(swept_at=timezone.now() - timedelta(minutes=20))

    ill = text_of(admin_client.get(OVERVIEW))

    assert "no worker, or no beat, is running" not in well
    assert "The sweeper last ran 20 minutes ago: no worker, or no beat, is running" in ill


def test_reconciling_and_verifying_leave_their_moment(basket, admin_client):
    assert row_of(admin_client.get(OVERVIEW), "Verification")[0] == "never"

    tasks.reconcile()
    tasks.verify()

    assert row_of(admin_client.get(OVERVIEW), "Verification")[0] != "never"
    assert row_of(admin_client.get(OVERVIEW), "Reconciler")[0] != "never"


def test_open_bulk_requests_are_named_and_linked(staff, admin_user):
    request = BulkRequest.objects.create(
        action="subscribe", newsletters=["mozilla-phone"], actor=admin_user, state="running"
    )
    BulkRequest.objects.create(action="subscribe", state="finished", finished_at=timezone.now())
    BulkRequest.objects.create(action="subscribe", state="draft")

    with_right = staff("view_status", "view_bulkrequest").get(OVERVIEW)
    without = staff("view_status").get(OVERVIEW)

    link = reverse("admin:mozillians_basket_bulkrequest_change", args=[request.pk])
    assert [row for row, _url in with_right.context["open_requests"]] == [request]
    assert link in with_right.content.decode()
    assert link not in without.content.decode()


def test_a_wrong_setting_is_named(admin_client, settings):
    settings.BASKET_BRAKE_RATIO = "much"

    assert "BASKET_BRAKE_RATIO = 'much'" in admin_client.get(OVERVIEW).content.decode().replace(
        "&#x27;", "'"
    )


def test_the_number_of_queries_does_not_grow_with_the_rows(
    basket, admin_client, commit, django_assert_max_num_queries
):
    admin_client.get(OVERVIEW)
    with commit():
        VouchFactory.create_batch(12)
    BulkRequest.objects.bulk_create(
        BulkRequest(action="subscribe", state="running") for _ in range(8)
    )
    cache.clear()

    with django_assert_max_num_queries(QUERIES):
        admin_client.get(OVERVIEW)


def test_the_app_s_index_leads_to_it_under_the_banner(staff):
    client = staff("view_status")
    with override_switch(SWITCH, active=False):
        index = client.get(reverse("admin:app_list", args=["mozillians_basket"]))

    assert "BASKET_SWITCH_ENABLED is off" in index.content.decode()
    assert index.content.decode().count(f'href="{OVERVIEW}"') >= 2
