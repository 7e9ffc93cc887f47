"""The history is filtered by kind, outcome, newsletter, actor, cause and date, and searched."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult

from mozillians_basket.models import BulkRequest, Contact, Event, Member
from tests.app.steps import contact_of
from tests.factories import UserProfileFactory, VouchFactory

HISTORY = reverse("admin:mozillians_basket_event_changelist")


@pytest.fixture
def people(db):
    """Two members, each with a contact and one event."""
    profiles = []
    for name in ("ada", "bob"):
        profile = UserProfileFactory(user__username=name, user__email=f"{name}@example.com")
        address = f"{name}@example.com"
        contact = Contact.objects.create(email=address, key=address)
        Member.objects.create(site_member=profile, contact=contact)
        Event.objects.create(
            kind="subscribed", member=profile, contact=contact, newsletters=["mozilla-phone"]
        )
        profiles.append(profile)
    return profiles


def listed(client, query="", **params):
    """Return the members of the events on the page."""
    page = client.get(HISTORY + query, params or None)
    assert page.status_code == 200
    return [event.member_id for event in page.context["cl"].result_list]


def kinds(client, **params):
    page = client.get(HISTORY, params)
    assert page.status_code == 200
    return [event.kind for event in page.context["cl"].result_list]


def test_the_newest_comes_first(admin_client, people):
    Event.objects.create(kind="parked", created_at=timezone.now() - timedelta(days=1))

    assert listed(admin_client) == [people[1].pk, people[0].pk, None]


def test_an_empty_history_is_a_page_too(admin_client):
    page = admin_client.get(HISTORY)

    assert "0 events" in page.content.decode()


@pytest.mark.parametrize("text", ["ada", "ada@example.com", "ADA@Example.com", " ada "])
def test_member_is_found_by_the_search_fields_of_the_site(admin_client, people, text):
    assert listed(admin_client, q=text) == [people[0].pk]


def test_a_member_is_found_by_key(admin_client, people):
    assert listed(admin_client, q=str(people[1].pk)) == [people[1].pk]


@pytest.mark.parametrize("text", ["ad", "nobody@example.com", str(10**30), "%"])
def test_text_that_matches_no_member_exactly_finds_nothing(admin_client, people, text):
    assert listed(admin_client, q=text) == []


def test_a_member_is_found_by_the_address_in_the_ledger(admin_client, people):
    contact = Contact.objects.get(members__site_member=people[0])
    Contact.objects.filter(pk=contact.pk).update(email="Old@example.com", key="old@example.com")

    assert listed(admin_client, q="old@example.COM") == [people[0].pk]


def test_earlier_events_of_an_address_are_found_by_the_member(admin_client, people):
    old = Contact.objects.create(email="old@example.com", key="old@example.com")
    Event.objects.create(kind="unsubscribed", member=people[0], contact=old)

    assert listed(admin_client, q="ada") == [people[0].pk] * 2


def test_search_reveals_nothing_that_the_admin_may_not_see(staff, people):
    client = staff("view_event")

    assert listed(client, q="ada@example.com") == []
    assert listed(client, q="ada") == []
    assert listed(client, q=str(people[0].pk)) == [people[0].pk]


def test_members_are_named_and_linked_for_admins_who_may_view_them(staff, people):
    link = reverse("admin:people_userprofile_change", args=[people[0].pk])

    named = staff("view_event", "view_userprofile").get(HISTORY).content.decode()
    unnamed = staff("view_event").get(HISTORY).content.decode()

    assert f'<a href="{link}">ada</a>' in named
    assert link not in unnamed
    assert "ada" not in unnamed
    assert f"member {people[0].pk}" in unnamed


def test_events_without_a_member_say_what_they_are_about(admin_client, people):
    Event.objects.create(kind="answered")
    bare = Contact.objects.create(email="bare@example.com", key="bare@example.com")
    Event.objects.create(kind="unsubscribed", contact=bare)
    people[0].delete()

    html = admin_client.get(HISTORY).content.decode()

    assert "the whole site" in html
    assert f"contact {bare.pk}" in html
    assert "gone</td>" in html
    assert "bare@example.com" not in html


def test_filters_narrow_it_down(admin_client, admin_user, people):
    request = BulkRequest.objects.create(action="subscribe")
    Event.objects.create(
        kind="decided", actor=admin_user, bulk_request=request, outcome="subscribe"
    )
    Event.objects.create(kind="parked", outcome="unavailable", cause="reconcile")
    Event.objects.create(kind="opted_out", newsletters=["mozilla-phone", "mozillians-nda"])
    Event.objects.create(kind="moved", created_at=timezone.now() - timedelta(days=40))

    yesterday = (timezone.now() - timedelta(days=1)).isoformat()

    assert kinds(admin_client, kind__exact="decided") == ["decided"]
    assert kinds(admin_client, actor=admin_user.pk) == ["decided"]
    assert kinds(admin_client, bulk_request=request.pk) == ["decided"]
    assert kinds(admin_client, outcome="unavailable") == ["parked"]
    assert kinds(admin_client, cause="reconcile") == ["parked"]
    assert kinds(admin_client, newsletter="mozillians-nda") == ["opted_out"]
    assert kinds(admin_client, newsletter="mozilla-phone") == ["opted_out", *["subscribed"] * 2]
    assert kinds(admin_client, newsletter="mozilla") == []
    assert "moved" not in kinds(admin_client, created_at__gte=yesterday)
    assert kinds(admin_client, kind__exact="decided", cause="reconcile") == []


@pytest.mark.parametrize("name", ["actor", "bulk_request"])
@pytest.mark.parametrize("value", ["x", str(10**30), "-1"])
def test_a_filter_written_by_hand_finds_nothing_and_breaks_nothing(
    admin_client, people, name, value
):
    assert kinds(admin_client, **{name: value}) == []


def test_filters_offer_actors_and_causes(admin_client, admin_user, people):
    Event.objects.create(kind="decided", actor=admin_user)

    html = admin_client.get(HISTORY).content.decode()

    assert f'<a href="?actor={admin_user.pk}">admin</a>' in html
    assert "?cause=people.Vouch+created" in html
    assert "?cause=verification" in html
    assert "?newsletter=mozillians-nda" in html


def test_an_outcome_is_in_plain_words_with_basket_s_code_beside_it(admin_client):
    Event.objects.create(kind="refused", error_code="2")
    Event.objects.create(kind="parked", outcome="unavailable")
    Event.objects.create(kind="dismissed", note="asked them by mail")

    html = admin_client.get(HISTORY).content.decode()

    assert "Basket says the address is invalid. (refused, code 2)" in html
    assert "Basket fails: it gave no usable answer. (unavailable)" in html
    assert "asked them by mail" in html


def test_a_cause_is_in_words_that_need_no_knowledge_of_the_site_s_models(admin_client, people):
    request = BulkRequest.objects.create(action="subscribe")
    causes = [
        "people.Vouch deleted, people.UserProfile changed", "reconcile", str(request),
        "other.Model changed", "mozilla-phone: brake", "what else",
    ]  # fmt: skip
    for cause in causes:
        Event.objects.create(kind="subscribed", cause=cause)

    html = admin_client.get(HISTORY).content.decode()

    assert ">vouch: deleted, profile: changed<" in html
    assert ">comparison of policies and ledger<" in html
    assert f">bulk request {request.pk}<" in html
    assert ">other.Model changed<" in html
    assert ">what else<" in html
    assert ">question about mozilla-phone: removals held back<" in html


def test_an_event_s_own_page_says_as_much_as_its_row(staff, people, settings):
    settings.TIME_ZONE = "Asia/Kolkata"
    request = BulkRequest.objects.create(action="subscribe")
    event = Event.objects.create(
        kind="refused", member=people[0], error_code="2", cause="reconcile", bulk_request=request,
        newsletters=["mozilla-phone"],
        created_at=datetime(2026, 11, 1, 20, 0, tzinfo=UTC),
    )  # fmt: skip
    page = reverse("admin:mozillians_basket_event_change", args=[event.pk])

    seen = staff("view_event", "view_userprofile").get(page).content.decode()
    masked = staff("view_event").get(page).content.decode()

    assert "refused, Nov. 2, 2026, 1:30 a.m." in seen
    assert f'<a href="/admin/people/userprofile/{people[0].pk}/change/">ada</a>' in seen
    assert "Basket says the address is invalid. (refused, code 2)" in seen
    assert "comparison of policies and ledger" in seen
    assert f'<a href="{HISTORY}?bulk_request={request.pk}">' in seen
    assert "ada" not in re.sub(r"<[^>]+>", " ", masked).split()
    assert f"member {people[0].pk}" in masked


def test_an_event_leads_to_celery_s_result_where_there_is_one(staff, db):
    result = TaskResult.objects.create(task_id="kept")
    for task_id in ("kept", "not-kept", ""):
        Event.objects.create(kind="subscribed", task_id=task_id)
    link = reverse("admin:django_celery_results_taskresult_change", args=[result.pk])

    may = staff("view_event", "view_taskresult").get(HISTORY).content.decode()
    may_not = staff("view_event").get(HISTORY).content.decode()

    assert may.count(link) == 1
    assert ">result<" not in may_not


def test_it_can_be_read_but_not_changed(admin_client, people):
    event = Event.objects.latest("pk")
    page = reverse("admin:mozillians_basket_event_change", args=[event.pk])

    assert admin_client.get(page).status_code == 200
    assert admin_client.post(page, {"kind": "moved"}).status_code == 403
    assert b'name="action"' not in admin_client.get(HISTORY).content


def test_an_event_of_a_sync_is_in_it(basket, admin_client, commit):
    with commit():
        profile = VouchFactory().vouchee

    assert listed(admin_client, q=str(profile.pk)) == [profile.pk]


@pytest.mark.parametrize("name", ["cause", "outcome", "newsletter", "q"])
def test_value_that_no_column_can_hold_finds_nothing(admin_client, people, name):
    answer = admin_client.get(HISTORY, {name: "\x00"})

    assert answer.status_code in {200, 302}


def test_heading_names_the_person_and_leads_back_to_them(vouched, admin_client):
    by_member = admin_client.get(HISTORY, {"q": vouched.pk}).content.decode()
    by_contact = admin_client.get(HISTORY, {"contact__id__exact": contact_of(vouched).pk})
    own_page = reverse("admin:people_userprofile_basket", args=[vouched.pk])

    for page in (by_member, by_contact.content.decode()):
        assert f"<h1>History of {vouched}</h1>" in page
        assert f'<a href="{own_page}">Back</a>' in page
    assert "<h1>History</h1>" in admin_client.get(HISTORY).content.decode()
    german = admin_client.get(HISTORY, headers={"accept-language": "de"}).content.decode()
    assert "<h1>Verlauf</h1>" in german  # Django's own word is "Geschichte"


def test_history_of_a_bulk_request_leads_back_to_it(admin_client, db):
    request = BulkRequest.objects.create(action="subscribe", state="running")

    page = admin_client.get(HISTORY, {"bulk_request": request.pk}).content.decode()
    log = reverse("admin:mozillians_basket_bulkrequest_history", args=[request.pk])

    assert f"<h1>History of bulk request {request.pk}</h1>" in page
    assert reverse("admin:mozillians_basket_bulkrequest_change", args=[request.pk]) in page
    assert f"{HISTORY}?bulk_request={request.pk}" in admin_client.get(log).content.decode()


def test_heading_names_nobody_to_admins_who_may_not_view_members(vouched, staff):
    page = staff("view_event").get(HISTORY, {"q": vouched.pk}).content.decode()

    assert f"<h1>History of member {vouched.pk}</h1>" in page
    assert str(vouched) not in page


def test_change_that_a_user_made_on_the_site_names_the_user(
    basket, admin_client, admin_user, commit
):
    profiles = UserProfileFactory.create_batch(2)
    with commit():
        admin_client.post(
            reverse("admin:people_vouch_add"),
            {
                "voucher": profiles[0].pk,
                "vouchee": profiles[1].pk,
                "date_0": "2026-01-01",
                "date_1": "12:00",
            },
        )

    listed = admin_client.get(HISTORY, {"q": profiles[1].pk}).context["cl"].result_list

    assert [(event.kind, event.actor) for event in listed] == [("subscribed", admin_user)]
