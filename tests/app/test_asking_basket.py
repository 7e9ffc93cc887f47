"""The button "Ask Basket" shows Basket's present data beside the ledger's."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.admin import member_page
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Event, Member, Move, Status, Subscription
from project.people.models import UserProfile
from tests.factories import UserProfileFactory


def ask(client, profile):
    response = client.post(reverse("admin:people_userprofile_basket_ask", args=[profile.pk]))
    assert response.status_code == 200
    return response.content.decode()


def lookups(basket):
    return [request for request in basket.requests if request.endpoint == "lookup"]


def test_basket_s_answer_stands_beside_the_ledger(basket, vouched, admin_client):
    basket.put_person(
        vouched.user.email, newsletters=["mozillians-nda", "about-mozilla"], optout=True
    )

    page = ask(admin_client, vouched)

    assert "They turned everything off at Basket (optout)." in page
    assert "They have 1 other newsletter that is none of this site's." in page
    assert "about-mozilla" not in page
    assert page.count(">differ<") == 2


def test_page_says_that_basket_and_ledger_agree(basket, vouched, admin_client):
    page = ask(admin_client, vouched)

    assert page.count(">agree<") == 2
    assert ">differ<" not in page
    assert "other newsletters" not in page
    assert "The ledger and Basket differ" not in page


@pytest.mark.parametrize("carried_out", [False, True])
def test_removal_that_was_sent_is_no_difference(basket, vouched, admin_client, carried_out):
    row = Subscription.objects.get(contact__key=vouched.user.email, newsletter="mozilla-phone")
    row.removal_pending, row.removed_at = True, timezone.now()
    row.save()
    if carried_out:
        basket.put_person(vouched.user.email, newsletters=[])

    page = ask(admin_client, vouched)

    assert "<td>unsubscribe sent</td>" in page
    assert ">differ<" not in page


def test_answer_about_an_old_address_stands_beside_what_the_ledger_knows_of_that_one(
    basket, vouched, admin_client, commit
):
    old = Contact.objects.get(key=vouched.user.email)
    new = Contact.objects.create(email="new@example.com", key="new@example.com")
    Member.objects.filter(contact=old).update(contact=new)
    User.objects.filter(pk=vouched.user.pk).update(email=new.email)
    Move.objects.create(
        member=Member.objects.get(contact=new), source=old, target=new, moved_at=timezone.now()
    )

    page = ask(admin_client, vouched)

    at_new, at_old = page.split("Ledger and Basket side by side")[1:]
    assert "<td>unknown</td>" in at_new
    assert "<td>not subscribed</td>" in at_new
    assert "<td>subscribed</td>\n        <td>subscribed</td>" in at_old
    assert ">differ<" not in page


def test_asking_changes_nothing_and_shows_no_token(basket, vouched, admin_client):
    contacts, events = list(Contact.objects.values()), Event.objects.count()
    token = basket.person(vouched.user.email).token

    page = ask(admin_client, vouched)

    assert list(Contact.objects.values()) == contacts
    assert Event.objects.count() == events
    assert token not in page
    assert basket.api_key not in page


def test_page_says_that_basket_does_not_know_the_member(basket, admin_client):
    page = ask(admin_client, UserProfileFactory())

    assert "Basket knows nobody with this address." in page


def test_a_changed_address_is_asked_about_at_both(basket, vouched, admin_client):
    old = vouched.user.email
    type(vouched.user).objects.filter(pk=vouched.user.pk).update(email="new@example.com")
    basket.clear_requests()

    page = ask(admin_client, vouched)

    assert [request.email for request in lookups(basket)] == ["new@example.com", old]
    assert page.count("Ledger and Basket side by side") == 2


def test_with_the_switch_off_nobody_is_asked(basket, vouched, admin_client):
    basket.clear_requests()

    with override_switch(SWITCH, active=False):
        page = ask(admin_client, vouched)

    assert "is off: Basket was not asked." in page
    assert basket.requests == []


def test_with_the_breaker_open_nobody_is_asked(basket, vouched, admin_client):
    Status.read()
    Status.objects.update(opened_at=timezone.now(), reason="unavailable")
    basket.clear_requests()

    page = ask(admin_client, vouched)

    assert "The breaker is open: Basket was not asked" in page
    assert basket.requests == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param({"status": 503}, "Basket fails: it gave no usable answer.", id="down"),
        pytest.param({"kind": "drop"}, "Basket is out of reach", id="hangs up"),
        pytest.param({"kind": "html"}, "(unavailable)", id="HTML"),
        pytest.param(
            {"kind": "malformed"}, "Basket fails: it gave no usable answer.", id="garbage"
        ),
        pytest.param(
            {"status": 401, "code": 7}, "Basket does not accept this site&#x27;s key", id="401"
        ),
        pytest.param({"kind": "rate_limit"}, "asked too often for this address", id="429"),
        pytest.param({"kind": "maintenance"}, "Basket is in maintenance.", id="maintenance"),
    ],
)
def test_page_is_complete_for_each_failure_of_basket(basket, vouched, admin_client, fault, told):
    basket.fail("lookup", **fault)

    page = ask(admin_client, vouched)

    assert told in page
    assert "They get mozilla-phone." in page
    assert not Status.read().opened_at
    assert Status.read().failures == 0


def test_a_basket_that_is_slow_is_not_waited_for(
    basket, vouched, admin_client, monkeypatch, settings
):
    settings.BASKET_TIMEOUT = 60
    monkeypatch.setattr(member_page, "TIMEOUT", 0.2)
    type(vouched.user).objects.filter(pk=vouched.user.pk).update(email="new@example.com")
    basket.fail("lookup", kind="delay", seconds=2)

    page = ask(admin_client, vouched)

    assert "Basket is out of reach" in page
    assert page.count("There is no answer from Basket") == 1  # no second wait, for the other one


def test_a_basket_that_is_not_there(basket, vouched, admin_client, settings):
    settings.BASKET_URL = "http://127.0.0.1:1"

    assert "Basket is out of reach" in ask(admin_client, vouched)


def test_the_lookup_is_outside_of_any_transaction():
    patterns = admin.site.get_model_admin(UserProfile).get_urls()
    (found,) = [item for item in patterns if item.name == "people_userprofile_basket_ask"]

    assert found.callback._non_atomic_requests == {"default"}


def test_reloading_the_answer_s_address_leads_to_the_panel(basket, vouched, admin_client):
    basket.clear_requests()

    response = admin_client.get(
        reverse("admin:people_userprofile_basket_ask", args=[vouched.pk]), follow=True
    )

    assert response.redirect_chain[-1][0].endswith("/basket/")
    assert basket.requests == []
