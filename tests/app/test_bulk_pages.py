"""A bulk request's page, its numbers, its failures, and the list of requests."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks
from mozillians_basket.admin import bulk_requests
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import BulkItem, BulkRequest, Contact
from tests.app.bulk import UNSUBSCRIBE, order, staff, text_of, url_of
from tests.app.steps import drain_everything, settle_everything
from tests.factories import UserProfileFactory

LIST = reverse("admin:mozillians_basket_bulkrequest_changelist")


def request_of(states, *, ago=30, **fields):
    """Create a running request, ordered some seconds ago, with items in these states."""
    now = timezone.now()
    bulk_request = BulkRequest.objects.create(
        state=BulkRequest.State.RUNNING,
        action="subscribe",
        newsletters=["mozilla-phone"],
        total=len(states),
        position=len(states),
        created_at=now - timedelta(seconds=ago),
        **fields,
    )
    for state in states:
        finished = None if state == "pending" else now - timedelta(seconds=1)
        BulkItem.objects.create(
            request=bulk_request, member=UserProfileFactory(), state=state, finished_at=finished
        )
    return bulk_request


def numbers(client, bulk_request):
    return client.get(url_of("change", bulk_request)).context["progress"]


def test_page_shows_order_actor_and_progress(basket, admin_client):
    order(admin_client, UserProfileFactory.create_batch(2), UNSUBSCRIBE)
    settle_everything()
    tasks.sweep()

    text = text_of(admin_client.get(url_of("change", BulkRequest.objects.get())))

    assert "Unsubscribe from mozilla-phone" in text
    assert "<dd>admin</dd>" in text
    assert "Finished: 2 of 2 members." in text
    assert 'data-basket-number="done">2</a>' in text


def test_request_of_which_all_orders_are_begun_says_why_it_cannot_be_cancelled(
    basket, admin_client
):
    request = request_of(["pending", "done"])

    page = text_of(admin_client.get(url_of("change", request)))

    assert "All orders are begun: there is nothing left to cancel." in page
    assert "Cancel what is not begun" not in page


def test_a_running_request_is_followed_by_a_script_of_the_site_s_own(basket, admin_client):
    order(admin_client, [UserProfileFactory()])
    bulk_request = BulkRequest.objects.get()

    running = text_of(admin_client.get(url_of("change", bulk_request)))
    tasks.sweep()
    tasks.sweep()
    over = text_of(admin_client.get(url_of("change", bulk_request)))

    assert '<script src="/static/mozillians_basket/live.js" defer>' in running
    assert 'data-basket-every="2000"' in running
    assert "live.js" not in over
    assert "data-basket-every" not in over


@pytest.mark.parametrize("page", ["change", "confirm"])
def test_no_page_has_a_script_or_a_style_within(basket, admin_client, page):
    bulk_request = request_of(["pending", "failed"])
    if page == "confirm":
        actor = admin_client.get(LIST).wsgi_request.user.pk
        BulkRequest.objects.update(actor_id=actor, state="draft")

    html = admin_client.get(url_of(page, bulk_request)).content.decode()
    content = html[html.index('<div id="content"') :]

    assert "<script" not in content
    assert "style=" not in content
    assert "onclick" not in content


def test_the_numbers_say_how_many_are_through_and_how_many_wait(basket, admin_client):
    bulk_request = request_of(["done"] * 3 + ["failed", "skipped"] + ["pending"] * 3)
    BulkRequest.objects.update(total=10)  # two are not begun

    progress = numbers(admin_client, bulk_request)

    assert {name: number for name, _label, number in progress.numbers} == {
        "done": "3",
        "failed": "1",
        "skipped": "1",
        "cancelled": "0",
        "waiting": "5",
    }
    assert (progress.percent, progress.over, progress.failed) == (50, False, 1)
    assert (progress.may_cancel, progress.may_retry) == (True, True)
    assert progress.sentence == "5 of 10 members are through (50 %)."


def test_the_numbers_say_how_fast_it_goes_and_how_long_it_takes_still(
    basket, admin_client, time_machine
):
    time_machine.move_to(timezone.now(), tick=False)
    slow = request_of(["done"] * 6 + ["pending"] * 4, ago=30)
    older = request_of(["done"] * 6 + ["pending"] * 4, ago=3600)
    new = request_of(["done", "pending"], ago=0)
    stuck = request_of(["pending"], ago=3600)

    assert numbers(admin_client, slow).pace == "12.0 members a minute, about 20 seconds left"
    assert numbers(admin_client, older).pace == "6.0 members a minute, about 40 seconds left"
    assert numbers(admin_client, new).pace == ""
    assert numbers(admin_client, stuck).pace == "Nothing was finished in the last minute."


def test_a_fast_request_tells_the_members_of_a_second(basket, admin_client, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    fast = request_of(["done"] * 15 + ["pending"], ago=10)

    assert numbers(admin_client, fast).pace == "1.5 members a second, about 1 second left"


def test_waiting_members_whose_contact_fails_are_told_with_the_reason(
    basket, admin_client, time_machine
):
    time_machine.move_to(timezone.now(), tick=False)
    request = request_of(["done", "pending"], ago=30)
    item = BulkItem.objects.get(state="pending")
    drain_everything()
    failing = {"problem": "unavailable", "failing_since": timezone.now(), "attempts": 1}
    Contact.objects.filter(members__site_member=item.member_id).update(**failing)

    page = admin_client.get(url_of("change", request), {"list": "waiting"})

    text = text_of(page)
    assert "All that is left waits for the reason below." in text
    assert "<p>Basket fails: it gave no usable answer. (1)</p>" in text
    assert '<td data-label="Why">Basket fails: it gave no usable answer.</td>' in text
    assert '<td data-label="Code">unavailable</td>' in text


def test_a_long_time_that_is_left_is_told_in_hours_and_minutes(basket, admin_client, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    slow = request_of(["done"], ago=30)
    BulkRequest.objects.update(total=181)

    pace = numbers(admin_client, slow).pace.replace("\xa0", " ")

    assert pace == "2.0 members a minute, about 1 hour, 30 minutes left"


def test_while_one_waits_it_is_not_at_a_hundred_percent(basket, admin_client):
    bulk_request = request_of(["done"] * 300 + ["pending"])

    assert numbers(admin_client, bulk_request).percent == 99


def failing(number=1, **fields):
    bulk_request = request_of([])
    for _ in range(number):
        profile = UserProfileFactory(**fields)
        drain_everything()
        BulkItem.objects.create(
            request=bulk_request,
            member=profile,
            state="failed",
            reason="2",
            finished_at=timezone.now(),
        )
    return bulk_request


def test_a_failure_names_the_member_the_reason_and_the_code(basket, admin_client):
    bulk_request = failing(full_name="Ana Silva", user__email="ana@example.com")
    profile = BulkItem.objects.get().member

    text = text_of(admin_client.get(url_of("change", bulk_request)))

    url = reverse("admin:people_userprofile_change", args=[profile.pk])
    assert f'<a href="{url}">Ana Silva</a>' in text
    assert "ana@example.com" in text
    assert "Basket says the address is invalid." in text
    assert "refused, code 2" in text


def test_admins_who_may_not_view_members_see_no_name_and_a_masked_address(basket):
    bulk_request = failing(full_name="Ana Silva", user__email="ana@example.com")

    text = text_of(staff("sync_members").get(url_of("change", bulk_request)))

    assert "Ana Silva" not in text
    assert "ana@example.com" not in text
    assert "a***a@e***.com" in text


def test_failures_come_a_page_at_a_time(basket, admin_client, monkeypatch):
    monkeypatch.setattr(bulk_requests, "PER_PAGE", 2)
    bulk_request = failing(3)
    url = url_of("change", bulk_request)

    first = admin_client.get(url).context["outcomes"]
    second = admin_client.get(f"{url}?page=2").context["outcomes"]
    beyond = admin_client.get(f"{url}?page=99").context["outcomes"]

    assert (len(first), len(second)) == (2, 1)
    assert beyond.number == 2
    assert "?list=failed&amp;page=2#basket-failures" in text_of(admin_client.get(url))


@pytest.mark.parametrize("chosen", ["done", "failed", "skipped", "waiting"])
def test_each_number_leads_to_the_list_of_its_members(basket, admin_client, chosen):
    bulk_request = request_of(["done", "failed", "skipped", "pending", "pending"])
    left = UserProfileFactory()
    BulkRequest.objects.update(keys=[0, 0, 0, 0, 0, left.pk], total=6)
    url = url_of("change", bulk_request)

    page = admin_client.get(f"{url}?list={chosen}")

    states = {"waiting": "pending"}
    members = BulkItem.objects.filter(state=states.get(chosen, chosen)).order_by("pk")
    shown = [each["person"].url.split("/")[-3] for each in page.context["outcomes"]]
    begun = [str(item.member_id) for item in members]
    assert shown == [*begun, str(left.pk)] if chosen == "waiting" else shown == begun
    number = text_of(page).split(f'data-basket-number="{chosen}">')[1].split("<")[0]
    assert int(number) == len(shown) == page.context["outcomes"].paginator.count
    assert f'href="?list={chosen}#basket-failures"' in text_of(page)


def test_lists_of_members_who_are_not_begun_come_a_page_at_a_time(
    basket, admin_client, monkeypatch
):
    monkeypatch.setattr(bulk_requests, "PER_PAGE", 2)
    bulk_request = request_of(["pending", "pending", "pending"])
    left = [profile.pk for profile in UserProfileFactory.create_batch(2)]
    BulkRequest.objects.update(keys=[0, 0, 0, *left], total=5)
    url = url_of("change", bulk_request)

    found = []
    for page in (1, 2, 3):
        outcomes = admin_client.get(f"{url}?list=waiting&page={page}").context["outcomes"]
        found += [int(each["person"].url.split("/")[-3]) for each in outcomes]

    begun = list(BulkItem.objects.order_by("pk").values_list("member_id", flat=True))
    assert found == [*begun, *left]


def test_request_behind_another_one_says_that_the_worker_is_busy(basket, admin_client):
    first, second = request_of(["pending"]), request_of(["pending"])
    BulkRequest.objects.update(total=5)

    assert numbers(admin_client, first).busy == ""
    busy = numbers(admin_client, second).busy
    assert busy == "The worker is busy: 1 earlier bulk request is not through."
    assert busy in text_of(admin_client.get(url_of("change", second)))


def test_a_member_who_is_gone_is_named_by_key(basket, admin_client):
    bulk_request = failing()
    key = BulkItem.objects.get().member_id
    BulkItem.objects.get().member.delete()

    assert f"member {key}" in text_of(admin_client.get(url_of("change", bulk_request)))


def test_skipped_members_are_counted_by_reason_once_it_is_over(basket, admin_client):
    bulk_request = request_of(["done", "skipped", "skipped", "skipped"])
    items = list(BulkItem.objects.filter(state="skipped"))
    BulkItem.objects.filter(state="skipped").update(reason="opted out")
    BulkItem.objects.filter(pk=items[0].pk).update(reason="no address")
    running = text_of(admin_client.get(url_of("change", bulk_request)))
    finished = {"finished_at": timezone.now(), "counts": {"done": 1, "skipped": 3}}
    BulkRequest.objects.update(state="finished", **finished)

    over = text_of(admin_client.get(url_of("change", bulk_request)))

    assert "They opted out themselves." not in running
    assert 'They opted out themselves.</th><td class="basket-number">2</td>' in over
    assert 'They have no e-mail address.</th><td class="basket-number">1</td>' in over


def test_list_shows_actor_order_time_and_progress(basket, admin_client, admin_user):
    request_of(["done", "failed", "pending"], actor=admin_user)
    finished = request_of([], actor=admin_user)
    BulkRequest.objects.filter(pk=finished.pk).update(
        state="finished", finished_at=timezone.now(), total=1200, counts={"done": 1200}
    )

    text = text_of(admin_client.get(LIST))

    assert "2 of 3, 1 failed" in text
    assert "1,200 of 1,200" in text
    assert text.count(">admin<") >= 2
    assert "mozilla-phone" in text


def test_the_banner_is_on_the_pages_while_the_switch_is_off(basket, admin_client):
    bulk_request = request_of(["pending"])

    with override_switch(SWITCH, active=False):
        texts = [text_of(admin_client.get(url)) for url in (LIST, url_of("change", bulk_request))]

    assert all("The switch BASKET_SWITCH_ENABLED is off" in text for text in texts)


def test_a_request_that_is_not_there_is_not_found(basket, admin_client):
    bulk_request = BulkRequest(pk=99)

    answers = [
        admin_client.get(url_of(page, bulk_request)) for page in ("change", "csv", "confirm")
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_the_admin_s_log_of_a_request_can_be_read(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    page = admin_client.get(url_of("history", BulkRequest.objects.get()))

    assert "Ordered: subscribe 1 member to mozilla-phone." in text_of(page)
