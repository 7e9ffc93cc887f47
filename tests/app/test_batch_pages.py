"""A bulk request's page, its numbers, its failures, and the list of requests."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import ledger, tasks
from mozillians_basket.admin import failures
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Batch, BatchItem
from tests.app.bulk import UNSUBSCRIBE, order, staff, text_of, url_of
from tests.factories import UserProfileFactory

LIST = reverse("admin:mozillians_basket_batch_changelist")


def batch_of(states, *, ago=30, **fields):
    """A running request that was ordered some seconds ago, with items in these states."""
    now = timezone.now()
    batch = Batch.objects.create(
        state=Batch.State.RUNNING,
        action="subscribe",
        newsletters=["mozilla-phone"],
        total=len(states),
        created_at=now - timedelta(seconds=ago),
        **fields,
    )
    for state in states:
        finished = None if state == "pending" else now - timedelta(seconds=1)
        BatchItem.objects.create(
            batch=batch, member=UserProfileFactory(), state=state, finished_at=finished
        )
    return batch


def numbers(client, batch):
    return client.get(url_of("progress", batch)).json()


def test_the_page_says_what_was_ordered_by_whom_and_how_far_it_got(basket, admin_client):
    order(admin_client, UserProfileFactory.create_batch(2), UNSUBSCRIBE)
    tasks.sweep()
    tasks.sweep()

    text = text_of(admin_client.get(url_of("change", Batch.objects.get())))

    assert "Unsubscribe from mozilla-phone" in text
    assert "<dd>admin</dd>" in text
    assert "Finished: 2 of 2 members." in text
    assert '<td data-basket-number="done">2</td>' in text


def test_a_running_request_is_followed_by_a_script_of_the_site_s_own(basket, admin_client):
    order(admin_client, [UserProfileFactory()])
    batch = Batch.objects.get()

    running = text_of(admin_client.get(url_of("change", batch)))
    tasks.sweep()
    over = text_of(admin_client.get(url_of("change", batch)))

    assert '<script src="/static/mozillians_basket/batch.js" defer>' in running
    assert f'data-url="{url_of("progress", batch)}"' in running
    assert "batch.js" not in over
    assert "data-url" not in over


@pytest.mark.parametrize("page", ["change", "confirm"])
def test_no_page_has_a_script_or_a_style_within(basket, admin_client, page):
    batch = batch_of(["pending", "failed"])
    if page == "confirm":
        draft = {
            "state": "draft",
            "selection": {"site": "admin", "model": "people.UserProfile", "query": ""},
        }
        Batch.objects.update(actor_id=admin_client.get(LIST).wsgi_request.user.pk, **draft)

    html = admin_client.get(url_of(page, batch)).content.decode()
    content = html[html.index('<div id="content"') :]

    assert "<script" not in content
    assert "style=" not in content
    assert "onclick" not in content


def test_the_numbers_say_how_many_are_through_and_how_many_wait(basket, admin_client):
    batch = batch_of(["done"] * 3 + ["failed", "skipped"] + ["pending"] * 5)

    data = numbers(admin_client, batch)

    assert data["numbers"] == {
        "done": "3",
        "failed": "1",
        "skipped": "1",
        "cancelled": "0",
        "waiting": "5",
    }
    assert (data["percent"], data["over"], data["failed"]) == (50, False, 1)
    assert (data["mayCancel"], data["mayRetry"]) == (True, True)
    assert data["sentence"] == "5 of 10 members are through (50 %)."


def test_the_numbers_say_how_fast_it_goes_and_how_long_it_takes_still(
    basket, admin_client, time_machine
):
    time_machine.move_to(timezone.now(), tick=False)
    slow = batch_of(["done"] * 6 + ["pending"] * 4, ago=30)
    older = batch_of(["done"] * 6 + ["pending"] * 4, ago=3600)
    new = batch_of(["done", "pending"], ago=0)
    stuck = batch_of(["pending"], ago=3600)

    assert numbers(admin_client, slow)["pace"] == "0.2 members a second, about 20 seconds left"
    assert numbers(admin_client, older)["pace"] == "0.1 members a second, about 40 seconds left"
    assert numbers(admin_client, new)["pace"] == ""
    assert numbers(admin_client, stuck)["pace"] == "Nothing was finished in the last minute."


def test_while_one_waits_it_is_not_at_a_hundred_percent(basket, admin_client):
    batch = batch_of(["done"] * 300 + ["pending"])

    assert numbers(admin_client, batch)["percent"] == 99


def failing(number=1, **fields):
    batch = batch_of([])
    for _ in range(number):
        profile = UserProfileFactory(**fields)
        while ledger.drain().touch_ids:
            pass
        contact = profile.__class__.objects.get(pk=profile.pk).basket_contact
        BatchItem.objects.create(
            batch=batch,
            member=profile,
            contact=contact,
            state="failed",
            reason="refused by Basket",
            error_code=2,
            finished_at=timezone.now(),
        )
    return batch


def test_a_failure_names_the_member_the_reason_and_the_code(basket, admin_client):
    batch = failing(full_name="Ana Silva", user__email="ana@example.com")
    profile = BatchItem.objects.get().member

    text = text_of(admin_client.get(url_of("change", batch)))

    url = reverse("admin:people_userprofile_change", args=[profile.pk])
    assert f'<a href="{url}">Ana Silva</a>' in text
    assert "ana@example.com" in text
    assert "Basket says the address is invalid." in text
    assert "refused by Basket, code 2" in text


def test_who_may_not_view_members_sees_no_name_and_a_masked_address(basket):
    batch = failing(full_name="Ana Silva", user__email="ana@example.com")

    text = text_of(staff("sync_members").get(url_of("change", batch)))

    assert "Ana Silva" not in text
    assert "ana@example.com" not in text
    assert "a***a@e***.com" in text


def test_failures_come_a_page_at_a_time(basket, admin_client, monkeypatch):
    monkeypatch.setattr(failures, "PER_PAGE", 2)
    batch = failing(3)
    url = url_of("change", batch)

    first = admin_client.get(url).context["failures"]
    second = admin_client.get(f"{url}?page=2").context["failures"]
    beyond = admin_client.get(f"{url}?page=99").context["failures"]

    assert (len(first), len(second)) == (2, 1)
    assert beyond.number == 2
    assert "?page=2#basket-failures" in text_of(admin_client.get(url))


def test_a_member_who_is_gone_is_named_by_key(basket, admin_client):
    batch = failing()
    key = BatchItem.objects.get().member_id
    BatchItem.objects.get().member.delete()

    assert f"member {key}" in text_of(admin_client.get(url_of("change", batch)))


def test_who_was_skipped_is_told_by_reason_once_it_is_over(basket, admin_client):
    batch = batch_of(["done", "skipped", "skipped", "skipped"])
    items = list(BatchItem.objects.filter(state="skipped"))
    BatchItem.objects.filter(state="skipped").update(reason="opted out")
    BatchItem.objects.filter(pk=items[0].pk).update(reason="no address")
    running = text_of(admin_client.get(url_of("change", batch)))
    finished = {"finished_at": timezone.now(), "counts": {"done": 1, "skipped": 3}}
    Batch.objects.update(state="finished", **finished)

    over = text_of(admin_client.get(url_of("change", batch)))

    assert "They opted out themselves." not in running
    assert 'They opted out themselves.</th><td class="basket-number">2</td>' in over
    assert 'They have no e-mail address.</th><td class="basket-number">1</td>' in over


def test_the_list_says_who_what_when_and_how_far(basket, admin_client, admin_user):
    batch_of(["done", "failed", "pending"], actor=admin_user)
    finished = batch_of([], actor=admin_user)
    Batch.objects.filter(pk=finished.pk).update(
        state="finished", finished_at=timezone.now(), total=1200, counts={"done": 1200}
    )

    text = text_of(admin_client.get(LIST))

    assert "2 of 3, 1 failed" in text
    assert "1,200 of 1,200" in text
    assert text.count(">admin<") >= 2
    assert "mozilla-phone" in text


def test_the_banner_is_on_the_pages_while_the_switch_is_off(basket, admin_client):
    batch = batch_of(["pending"])

    with override_switch(SWITCH, active=False):
        texts = [text_of(admin_client.get(url)) for url in (LIST, url_of("change", batch))]

    assert all("The switch BASKET_SWITCH_ENABLED is off" in text for text in texts)


def test_a_batch_that_is_not_there_is_not_found(basket, admin_client):
    batch = Batch(pk=99)

    answers = [admin_client.get(url_of(page, batch)) for page in ("change", "progress", "confirm")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_the_admin_s_log_of_a_request_can_be_read(basket, admin_client):
    order(admin_client, [UserProfileFactory()])

    page = admin_client.get(url_of("history", Batch.objects.get()))

    assert "Ordered: subscribe 1 member to mozilla-phone." in text_of(page)
