"""The overview shows the state with a number of queries that does not grow."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.admin.confirmation import preview_of
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import (
    Approval,
    BulkRequest,
    Contact,
    Decision,
    Event,
    HourlyCount,
    Member,
    Status,
    Subscription,
    Touch,
)
from mozillians_basket.upkeep import statistics
from tests.app.steps import queries, settle_everything
from tests.factories import VouchFactory

OVERVIEW = reverse("admin:mozillians_basket_status_changelist")
PROBLEMS = reverse("admin:mozillians_basket_failingcontact_changelist")
#: Session, user, status, questions, queue and touches, problems, newsletters, charts, and bulk
#: requests; and a savepoint around it all.
QUERIES = 25


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
    cells = re.findall(r"<td[^>]*>(.*?)</td>", found[0], re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell) for cell in cells]


def links_of(response):
    """Return the address behind each number, and the number."""
    links = re.findall(r'<td class="basket-number"><a href="([^"]+)">(.*?)</a>',
                       response.content.decode())  # fmt: skip
    return {unescape(url): int(number.replace(",", "")) for url, number in links}


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

    assert row_of(page, "mozilla-phone") == ["2", "0", "1", "1", "0", "1", "1"]
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
    assert row_of(page, "Refused or missing")[0] == "2"


def test_deleted_members_who_are_held_back_should_get_nothing(
    basket, admin_client, commit, settings
):
    with commit():
        vouches = VouchFactory.create_batch(3)
    settings.BASKET_BRAKE_FLOOR = 0
    with commit():
        vouches[0].vouchee.user.delete()
    cache.clear()

    page = admin_client.get(OVERVIEW)

    assert Decision.objects.filter(held_back_at__isnull=False, wanted=True).count() == 1
    assert row_of(page, "mozilla-phone")[0] == "2"


def test_subscriptions_of_a_question_are_no_second_problem(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(2)
    now, hour = timezone.now(), timedelta(hours=1)
    before, during = Subscription.objects.filter(confirmed_at__isnull=False)
    for row, at in ((before, now - 2 * hour), (during, now)):
        lost = Subscription.objects.filter(pk=row.pk)
        lost.update(state="missing at Basket", missing_at=at)
        label = {"problem": "missing at Basket", "failing_since": at}
        Contact.objects.filter(pk=row.contact_id).update(**label)
    question = Approval.objects.create(newsletter="mozilla-phone", kind="loss", since=now - hour)

    open_page = admin_client.get(OVERVIEW)
    in_question = admin_client.get(PROBLEMS, {"waits": "asked"}).context["cl"]
    Approval.objects.filter(pk=question.pk).update(closed_at=now)
    closed = admin_client.get(OVERVIEW)

    assert row_of(open_page, "Missing persons in a question")[0] == "1"
    assert "1 problem needs you" in text_of(open_page)
    assert [row.pk for row in in_question.result_list] == [during.contact_id]
    assert row_of(closed, "Missing persons in a question")[0] == "0"
    assert "2 problems need you" in text_of(closed)


def test_opt_outs_are_the_same_number_here_and_before_a_bulk_request(basket, admin_client, commit):
    with commit():
        vouches = VouchFactory.create_batch(5)
    profiles = [vouch.vouchee for vouch in vouches]
    now = timezone.now()
    at_basket, on_site, everything, renamed, _stays = profiles
    there = {"contact__members__site_member": at_basket, "newsletter": "mozilla-phone"}
    Subscription.objects.filter(**there).update(state="opted out", confirmed_at=None)
    Decision.objects.filter(member__site_member=on_site).update(opted_out_at=now)
    Member.objects.filter(site_member=everything).update(opted_out_at=now)
    Contact.objects.filter(members__site_member=renamed).update(renamed_at=now)
    cache.clear()

    page = admin_client.get(OVERVIEW)
    preview = preview_of([profile.pk for profile in profiles], subscribe=True)

    assert row_of(page, "mozilla-phone")[3] == "4"
    assert preview.by_newsletter["mozilla-phone"].opted_out == 4
    assert row_of(page, "mozillians-nda")[3] == "2"
    assert preview.by_newsletter["mozillians-nda"].opted_out == 2
    for url, number in links_of(page).items():
        assert admin_client.get(url).context["cl"].result_count == number, url


def test_address_that_was_left_is_no_problem_while_basket_knows_nobody_there(
    basket, admin_client, commit
):
    vouch = VouchFactory.create()
    email = vouch.vouchee.user.email
    settle_everything()
    Contact.objects.update(touched_at=timezone.now())
    settle_everything()
    basket.forget_people()

    with commit():
        vouch.vouchee.user.delete()

    assert Contact.objects.get(key=email).subscriptions.get(newsletter="mozilla-phone").missing_at
    assert statistics.problems().for_admins == 0
    assert email not in admin_client.get(PROBLEMS).content.decode()


def test_counts_over_all_subscriptions_are_kept_for_some_seconds(
    basket, admin_client, commit, time_machine
):
    time_machine.move_to(timezone.now(), tick=False)
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

    queue, problems = statistics.queue(), statistics.problems()

    assert (queue.due, queue.under_way, queue.resting, queue.touches) == (1, 1, 1, 1)
    assert (problems.retry, problems.parked, problems.refused) == (1, 1, 1)
    assert (queue.oldest, queue.oldest_touch) == (now - hour, now)
    assert row_of(admin_client.get(OVERVIEW), "Due")[0] == "1"


def test_a_number_and_the_list_behind_it_always_agree(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(9)
    now, hour = timezone.now(), timedelta(hours=1)
    wrong = {"failing_since": now - hour, "touched_at": now - hour}
    states = [
        {"problem": "unavailable", **wrong},
        {"problem": "unavailable", **wrong, "not_before": now + hour},
        {"problem": "unavailable", **wrong, "parked": True},
        {"problem": "2", **wrong, "parked": True},
        {"problem": "blocked domain", **wrong, "parked": True},
        {"problem": "2", **wrong, "parked": True, "dismissed_at": now},
        {"touched_at": now},
        {"touched_at": now, "leased_until": now + hour},
        {"touched_at": now, "not_before": now + hour},
    ]
    contacts = list(Contact.objects.order_by("pk").filter(members__decisions__wanted=True))
    for contact, fields in zip(contacts, states, strict=True):
        Contact.objects.filter(pk=contact.pk).update(**fields)
    held = Subscription.objects.filter(confirmed_at__isnull=False).order_by("pk")
    keys = list(held.values_list("pk", flat=True))
    held.filter(pk=keys[0]).update(state="refused", confirmed_at=None)
    held.filter(pk=keys[1]).update(state="missing at Basket")
    held.filter(pk=keys[2]).update(state="opted out", confirmed_at=None)
    Event.objects.create(
        kind=Event.Kind.OPTED_OUT, outcome="inferred", newsletters=["mozilla-phone"]
    )
    cache.clear()

    links = links_of(admin_client.get(OVERVIEW))

    assert sum(number > 0 for number in links.values()) >= 12
    for url, number in links.items():
        assert admin_client.get(url).context["cl"].result_count == number, url


def test_members_who_should_get_a_newsletter_are_those_of_the_list_behind_the_number(
    basket, admin_client, commit
):
    with commit():
        vouches = VouchFactory.create_batch(5)
        VouchFactory(vouchee__user__email=vouches[0].vouchee.user.email.upper())
    decisions = Decision.objects.filter(newsletter="mozilla-phone", wanted=True).order_by("pk")
    opted_out, everything, overridden, *_others = decisions
    now = timezone.now()
    decisions.filter(pk__in=[opted_out.pk, overridden.pk]).update(opted_out_at=now)
    decisions.filter(pk=overridden.pk).update(despite_opt_out=True)
    Member.objects.filter(pk=everything.member_id).update(opted_out_at=now)
    bare = Member.objects.create()
    Decision.objects.create(member=bare, newsletter="mozilla-phone", wanted=True)
    cache.clear()

    overview = admin_client.get(OVERVIEW)

    members = reverse("admin:people_userprofile_changelist")
    url = f"{members}?basket_wanted=mozilla-phone"
    assert links_of(overview)[url] == 4
    listed = admin_client.get(url)
    assert listed.context["cl"].result_count == 4
    assert "By newsletter that they should get" in text_of(listed)
    assert "that they should get" not in text_of(admin_client.get(members))


def test_admin_who_may_not_view_members_gets_no_link_to_them(basket, staff, commit):
    with commit():
        VouchFactory()

    page = staff("view_status").get(OVERVIEW)

    assert row_of(page, "mozilla-phone")[0] == "1"
    assert "basket_wanted" not in page.content.decode()


def test_contact_after_a_failure_is_failing_and_not_due(basket, admin_client):
    now = timezone.now()
    Contact.objects.create(
        email="a@example.com", key="a@example.com", touched_at=now - timedelta(hours=1),
        not_before=now - timedelta(minutes=1), problem="unavailable", failing_since=now, attempts=2,
    )  # fmt: skip

    page = admin_client.get(OVERVIEW)

    assert row_of(page, "Due")[0] == "0"
    assert row_of(page, "Waiting after a failure")[0] == "1"


def headline(response):
    """Return the headline, and the sentences below it."""
    part = response.content.decode().split('id="basket-needs"')[1].split("</section>")[0]
    said = re.findall(r"<(?:h2|li|p)[^>]*>(.*?)</(?:h2|li|p)>", part, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", each) for each in said]


def test_headline_says_that_all_is_well(basket, admin_client):
    tasks.sweep()

    assert headline(admin_client.get(OVERVIEW))[0] == "All is well"


def test_headline_names_what_needs_an_admin_in_order_of_urgency(basket, admin_client):
    tasks.sweep()
    now = timezone.now()
    Status.objects.update(opened_at=now, reason="misconfigured", error_code="7")
    Approval.objects.create(newsletter="mozilla-phone", kind="brake", since=now, number=4, total=8)
    Contact.objects.create(
        email="a@example.com", key="a@example.com", problem="2", failing_since=now, parked=True
    )
    with override_switch(SWITCH, active=False):
        title, *needs = headline(admin_client.get(OVERVIEW))

    assert title == "Needs you"
    starts = ["The switch", "Nothing reaches Basket", "Policies would remove 4 of 8", "1 problem"]
    assert [need.startswith(start) for need, start in zip(needs, starts, strict=True)] == [True] * 4
    assert "the setting BASKET_API_KEY is wrong" in needs[1]


def test_basket_is_tried_while_the_breaker_is_open(basket, admin_client):
    tasks.sweep()
    later = timezone.now() + timedelta(hours=1)
    Status.objects.update(opened_at=timezone.now(), reason="unavailable", next_probe_at=later)
    basket.fail("lookup", status=503)
    url = reverse("admin:mozillians_basket_status_try")

    away = text_of(admin_client.post(url, follow=True))
    unchanged = Status.read().next_probe_at
    basket.heal()
    back = text_of(admin_client.post(url, follow=True))

    assert "Basket still gives no usable answer: Basket fails" in away
    assert unchanged == later
    assert "Basket answers. The next probe starts now" in back
    assert Status.read().next_probe_at <= timezone.now()


def test_basket_is_tried_by_admins_who_may_order_only(basket, staff):
    url = reverse("admin:mozillians_basket_status_try")

    assert staff("view_status").post(url).status_code == 403
    assert not basket.requests


def test_charts_and_tables_show_throughput_and_failures(basket, admin_client, commit):
    with commit():
        VouchFactory.create_batch(2)
    Event.objects.create(kind=Event.Kind.PARKED)
    hour = timezone.now() - timedelta(days=3)
    HourlyCount.objects.create(hour=hour, kind=Event.Kind.SUBSCRIBED, number=5)

    html = admin_client.get(OVERVIEW).content.decode()

    charts = re.findall(r'<svg class="basket-chart".*?</svg>', html, re.DOTALL)
    assert len(charts) == 12  # of all newsletters and of each of the two
    assert all('role="img"' in chart and "<desc" in chart for chart in charts)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert captions[0].startswith("Carried to Basket: 2 in all")
    assert captions[1].startswith("Refused, parked or missing: 1 in all")
    assert captions[6].startswith("Carried to Basket: 7 in all")
    assert html.count("<details>") == 2
    assert html.count("<caption>The last") == 6
    assert "style=" not in re.sub(r"<svg.*?</svg>", "", html.split("<main", 1)[1], flags=re.DOTALL)


def test_each_newsletter_has_its_own_charts_on_one_scale(admin_client, switch_on):
    hour = timezone.now() - timedelta(days=3)
    for newsletter, number in (("", 40), ("mozilla-phone", 30), ("mozillians-nda", 15)):
        HourlyCount.objects.create(
            hour=hour, newsletter=newsletter, kind=Event.Kind.SUBSCRIBED, number=number
        )
    Event.objects.create(kind=Event.Kind.REFUSED, newsletters=["mozillians-nda"])

    response = admin_client.get(OVERVIEW)

    days = {group["title"]: group for group in response.context["activities"][1]["groups"]}
    assert list(days) == ["All newsletters", "mozilla-phone", "mozillians-nda"]
    totals = {name: [p["total"] for p in group["panels"]] for name, group in days.items()}
    assert totals == {
        "All newsletters": [40, 1], "mozilla-phone": [30, 0], "mozillians-nda": [15, 1],
    }  # fmt: skip
    phone, nda = (days[name]["panels"][0]["bars"][0] for name in list(days)[1:])
    assert float(phone["height"]) == 2 * float(nda["height"])
    assert "newsletter=mozillians-nda&amp;created_at__gte=" in response.content.decode()


def test_row_of_a_newsletter_leads_to_the_events_that_it_counts(
    admin_client, switch_on, time_machine
):
    time_machine.move_to(timezone.now(), tick=False)  # or the next hour's row may be the last
    for names in (["mozilla-phone"], ["mozilla-phone", "mozillians-nda"], ["mozillians-nda"]):
        Event.objects.create(kind=Event.Kind.SUBSCRIBED, newsletters=names)

    response = admin_client.get(OVERVIEW)

    _all, phone, _nda = response.context["activities"][0]["groups"]
    _when, query, numbers = phone["rows"][-1]
    history = reverse("admin:mozillians_basket_event_changelist")
    assert numbers[0] == 2
    listed = admin_client.get(f"{history}?{query}").context["cl"]
    assert listed.result_count == 2


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
    assert "Basket refuses this site." in text
    assert "the setting BASKET_API_KEY is wrong" in text
    assert "HTTP 401. Basket's code 7." in text.replace("&#x27;", "'")
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


def test_the_number_of_queries_does_not_grow_with_the_rows(basket, admin_client, commit):
    admin_client.get(OVERVIEW)
    with commit():
        VouchFactory.create_batch(12)
    BulkRequest.objects.bulk_create(
        BulkRequest(action="subscribe", state="running") for _ in range(8)
    )
    cache.clear()

    with CaptureQueriesContext(connection) as captured:
        admin_client.get(OVERVIEW)

    assert len(queries(captured)) == QUERIES


def test_the_app_s_index_leads_to_it_under_the_banner(staff):
    client = staff("view_status")
    with override_switch(SWITCH, active=False):
        index = client.get(reverse("admin:app_list", args=["mozillians_basket"]))

    assert "BASKET_SWITCH_ENABLED is off" in index.content.decode()
    assert index.content.decode().count(f'href="{OVERVIEW}"') >= 2
