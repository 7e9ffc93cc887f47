"""The page before a bulk request: counts, titles, and warnings where the policy disagrees."""

from typing import Any, NamedTuple

import pytest
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.admin import confirmation as its_page
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import (
    BulkRequest,
    Contact,
    Decision,
    Member,
    Status,
    Subscription,
)
from mozillians_basket.rules.rows import State
from tests.app.bulk import UNSUBSCRIBE, select, text_of, url_of
from tests.factories import UserProfileFactory


def confirmation(client):
    return client.get(url_of("confirm", BulkRequest.objects.latest("pk")))


class Row(NamedTuple):
    slug: str
    title: str
    description: str
    prospect: Any
    chosen: bool


def rows_of(page):
    return [Row(*row) for row in page.context["rows"]]


def row_of(page, slug):
    (row,) = [row for row in rows_of(page) if row.slug == slug]
    return row


def in_ledger(profile, state, newsletter="mozilla-phone", *, wanted=None):
    """Create a member's decision and subscription in the ledger."""
    email, now = profile.user.email, timezone.now()
    contact, _ = Contact.objects.get_or_create(key=email, defaults={"email": email})
    member, _ = Member.objects.get_or_create(
        site_member=profile, defaults={"contact": contact if email else None}
    )
    held = state == State.SUBSCRIBED
    Decision.objects.create(
        member=member, newsletter=newsletter, wanted=held if wanted is None else wanted
    )
    Subscription.objects.create(
        contact=contact, newsletter=newsletter, state=state, confirmed_at=now if held else None
    )


@pytest.fixture
def members(basket):
    """Five members: one subscribed, one opted out, two new to the ledger, one without address."""
    has, left, *new = UserProfileFactory.create_batch(4)
    in_ledger(has, State.SUBSCRIBED)
    in_ledger(left, State.OPTED_OUT)
    nobody = UserProfileFactory(user__email="")
    in_ledger(nobody, State.UNSUBSCRIBED)
    return [has, left, *new, nobody]


@pytest.mark.parametrize("across", [False, True])
def test_it_says_how_many_would_change_and_how_many_opted_out(admin_client, members, across):
    select(admin_client, members, across=across)

    page = confirmation(admin_client)

    prospect = row_of(page, "mozilla-phone").prospect
    assert (prospect.changing, prospect.subscribed, prospect.opted_out) == (2, 1, 1)
    text = text_of(page)
    assert "<strong>5</strong> members are selected." in text
    assert "<strong>1</strong> of them has no e-mail address" in text


def test_unsubscribing_counts_all_who_have_it_as_subscribed(admin_client, members):
    Decision.objects.update(wanted=False)

    select(admin_client, members)
    subscribing = row_of(confirmation(admin_client), "mozilla-phone").prospect
    select(admin_client, members, UNSUBSCRIBE)
    unsubscribing = row_of(confirmation(admin_client), "mozilla-phone").prospect

    assert (subscribing.subscribed, subscribing.changing) == (0, 3)
    assert (unsubscribing.subscribed, unsubscribing.changing) == (1, 1)


def test_members_who_are_not_selected_are_not_counted(admin_client, members):
    select(admin_client, members[:1])

    prospect = row_of(confirmation(admin_client), "mozilla-phone").prospect

    assert (prospect.changing, prospect.subscribed, prospect.opted_out) == (0, 1, 0)


def test_unsubscribing_changes_members_who_have_it_or_should_get_it(admin_client, members):
    in_ledger(members[2], State.UNKNOWN, wanted=True)
    select(admin_client, members, UNSUBSCRIBE)

    page = confirmation(admin_client)

    assert row_of(page, "mozilla-phone").prospect.changing == 2
    assert "Also those who opted out" not in text_of(page)


def test_page_warns_of_subscribing_members_who_are_not_entitled(basket, admin_client):
    profiles = UserProfileFactory.create_batch(2)
    profiles[0].__class__.objects.filter(pk=profiles[0].pk).update(is_vouched=True)
    select(admin_client, profiles)

    page = confirmation(admin_client)

    assert "1 of them does not meet the policy of mozilla-phone, not counting opt" in text_of(page)
    html = page.content.decode()
    cells = html[html.index("<tbody>") : html.index("</tbody>")].split("<td")[1:]
    assert all("data-label=" in cell.partition(">")[0] for cell in cells)  # cards on a phone
    assert "2 of them do not meet the policy of mozillians-nda" in text_of(page)
    assert "until what the policy says of them changes" in text_of(page)


def test_warning_does_not_count_members_who_opted_out(basket, admin_client):
    stranger, left, everything, entitled = UserProfileFactory.create_batch(4)
    in_ledger(left, State.OPTED_OUT)
    for profile in (everything, entitled):
        in_ledger(profile, State.UNKNOWN)
    for profile in (entitled, everything):
        profile.__class__.objects.filter(pk=profile.pk).update(is_vouched=True)
    Member.objects.filter(site_member=everything).update(opted_out_at=timezone.now())

    select(admin_client, [stranger, left, everything, entitled])
    subscribed = row_of(confirmation(admin_client), "mozilla-phone").prospect
    select(admin_client, [stranger, left, everything, entitled], UNSUBSCRIBE)
    unsubscribed = row_of(confirmation(admin_client), "mozilla-phone").prospect

    assert (subscribed.opted_out, subscribed.changing) == (2, 2)
    assert subscribed.warning.startswith("1 of them does not meet")
    assert unsubscribed.warning.startswith("1 of them meets")


def test_page_warns_of_unsubscribing_members_who_are_entitled(basket, admin_client):
    profiles = UserProfileFactory.create_batch(3)
    profiles[0].__class__.objects.filter(pk=profiles[0].pk).update(is_vouched=True)
    select(admin_client, profiles, UNSUBSCRIBE)

    page = confirmation(admin_client)

    assert "1 of them meets the policy of mozilla-phone, not counting opt-outs" in text_of(page)
    assert row_of(page, "mozillians-nda").prospect.warning == ""


def test_opted_out_members_are_not_included_unless_ticked(admin_client, members):
    select(admin_client, members)

    text = text_of(confirmation(admin_client))

    (box,) = [part for part in text.split("<") if 'name="despite_opt_out"' in part]
    assert "checked" not in box
    assert "Also those who opted out themselves" in text


def test_titles_and_descriptions_are_basket_s_and_only_ours_are_offered(basket, admin_client):
    select(admin_client, [UserProfileFactory()])

    page = confirmation(admin_client)

    assert [row.slug for row in rows_of(page)] == ["mozilla-phone", "mozillians-nda"]
    assert all(row.title != row.slug for row in rows_of(page))
    assert all(row.title for row in rows_of(page))


def test_the_catalogue_is_asked_for_once(basket, admin_client):
    select(admin_client, [UserProfileFactory()])
    confirmation(admin_client)
    basket.clear_requests()

    page = confirmation(admin_client)

    assert basket.requests == []
    assert row_of(page, "mozilla-phone").title


def test_while_basket_is_away_the_slugs_are_offered(basket, admin_client):
    basket.fail(status=500)
    select(admin_client, [UserProfileFactory()])

    page = confirmation(admin_client)

    assert page.status_code == 200
    assert row_of(page, "mozilla-phone").title == ""
    assert '<label for="id_newsletters_0">mozilla-phone</label>' in text_of(page)


def test_a_slow_basket_is_not_waited_for_nor_asked_again_at_once(basket, admin_client, monkeypatch):
    monkeypatch.setattr(its_page, "PATIENCE", 0.1)
    basket.fail("newsletters", kind="delay", seconds=1)
    select(admin_client, [UserProfileFactory()])

    page = confirmation(admin_client)
    basket.heal()
    again = confirmation(admin_client)

    assert row_of(page, "mozilla-phone").title == ""
    assert row_of(again, "mozilla-phone").title == ""


def test_with_the_switch_off_or_the_breaker_open_basket_is_not_asked(basket, admin_client):
    select(admin_client, [UserProfileFactory()])
    with override_switch(SWITCH, active=False):
        off = confirmation(admin_client)
    Status.objects.update_or_create(pk=1, defaults={"opened_at": timezone.now()})
    open_ = confirmation(admin_client)

    assert basket.requests == []
    assert (off.status_code, open_.status_code) == (200, 200)
    assert "BASKET_SWITCH_ENABLED is off" in text_of(off)


def test_it_leads_back_to_the_list_as_it_was(basket, admin_client):
    profile = UserProfileFactory(country="BR")

    page = select(admin_client, [profile], query="country=BR&p=1", follow=True)

    assert '?country=BR&amp;p=1">Back to the list' in text_of(page)


def test_a_cache_that_is_away_does_not_take_the_page_along(admin_client, members, settings):
    select(admin_client, members)
    settings.CACHES = {
        **settings.CACHES,
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        },
    }

    page = confirmation(admin_client)

    assert "Mozilla phone" in text_of(page)


@pytest.mark.parametrize("step", [2, 3, 7], ids=["one gap each", "two", "six"])
def test_members_between_the_selected_ones_are_not_counted(basket, admin_client, step):
    profiles = UserProfileFactory.create_batch(15)
    for profile in profiles:
        in_ledger(profile, State.SUBSCRIBED)
    chosen = [profile for number, profile in enumerate(profiles) if number % step == 0]
    select(admin_client, chosen)

    page = confirmation(admin_client)

    prospect = row_of(page, "mozilla-phone").prospect
    assert page.context["preview"].selected == len(chosen)
    assert (prospect.subscribed, prospect.changing) == (len(chosen), 0)
