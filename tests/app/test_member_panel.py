"""A member's newsletters on the member's page in the admin."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import decisions
from mozillians_basket.ledger.share import Context
from mozillians_basket.models import Contact, Decision, Event, Member, Status, Subscription
from mozillians_basket.rules.rows import State
from project.people.models import UserProfile
from tests.app.steps import contact_of, queries
from tests.factories import UserFactory, UserProfileFactory, VouchFactory


def page_of(client, profile, name="change"):
    url = reverse(f"admin:people_userprofile_{name}", args=[profile.pk])
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("name", ["change", "basket"])
def test_page_shows_newsletters_and_reasons(vouched, admin_client, name):
    page = page_of(admin_client, vouched, name)

    assert "They get mozilla-phone." in page
    assert "Reason: vouched members, since " in page
    assert "mozillians-nda: It is for members of the NDA group, and they are not" in page
    assert "subscribed</td>" in page


def test_page_names_the_cause_of_a_change(basket, admin_client, commit):
    with commit():
        voucher, vouchee = UserProfileFactory.create_batch(2)
    with commit():
        VouchFactory(voucher=voucher, vouchee=vouchee)

    assert "vouch: created" in page_of(admin_client, vouchee)


def test_decision_of_an_admin_is_explained_in_words(vouched, admin_client, admin_user):
    context = Context(actor_id=admin_user.pk)
    decisions.order([vouched.pk], ["mozillians-nda"], subscribe=True, context=context)

    page = page_of(admin_client, vouched)

    assert "<td>an admin: to be subscribed</td>" in page
    assert "<td>admin: wanted</td>" not in page


def test_member_unknown_to_the_ledger_is_explained(admin_client, switch_on):
    page = page_of(admin_client, UserProfileFactory())

    assert "The ledger knows nothing of this member yet" in page
    assert "Sync now" in page


def test_switch_is_the_first_cause_for_a_member_unknown_to_the_ledger(admin_client):
    page = page_of(admin_client, UserProfileFactory())

    assert page.index("nothing is sent for anybody") < page.index("The ledger knows nothing")


def test_a_waiting_contact_shows_problem_and_next_attempt(basket, admin_client, vouched, commit):
    basket.fail("lookup", status=503)
    with commit():
        vouched.vouches_received.all().delete()

    page = page_of(admin_client, vouched)

    assert "Basket fails: it gave no usable answer. (unavailable)" in page
    assert "Not sent yet: unsubscribe from mozilla-phone. Next attempt: at " in page
    assert (
        f'href="/admin/mozillians_basket/failingcontact/{contact_of(vouched).pk}/change/"' in page
    )


def test_switch_and_breaker_are_named_on_the_page(vouched, admin_client):
    Status.read()
    Status.objects.update(opened_at=timezone.now(), reason="unavailable")
    with override_switch(SWITCH, active=False):
        page = page_of(admin_client, vouched)

    assert "The switch BASKET_SWITCH_ENABLED is off" in page
    assert "The breaker has been open since" in page


def test_others_with_the_same_address_are_mentioned(vouched, admin_client, commit):
    with commit():
        VouchFactory(vouchee__user__email=vouched.user.email.upper())

    assert "1 other member has the same address" in page_of(admin_client, vouched)


def test_the_last_twenty_events_are_shown_and_lead_to_all(vouched, admin_client):
    Event.objects.bulk_create(
        Event(member=vouched, kind=Event.Kind.PARKED, note=f"note {number:02}")
        for number in range(30)
    )

    page = page_of(admin_client, vouched)

    assert "note 29" in page
    assert "note 10" in page
    assert "note 09" not in page
    history = f"/admin/mozillians_basket/event/?q={vouched.pk}"
    assert history in page
    listed = admin_client.get(history).context["cl"].result_list
    assert len(listed) == Event.objects.count() > 30


def test_events_of_a_shared_address_are_shown_too(vouched, admin_client):
    Event.objects.create(contact=contact_of(vouched), kind=Event.Kind.PARKED, note="of both")

    page = page_of(admin_client, vouched)
    history = admin_client.get(f"/admin/mozillians_basket/event/?q={vouched.pk}").content.decode()

    assert "of both" in page
    assert "of both" in history


def test_admin_who_may_only_view_members_sees_the_panel_without_buttons(vouched, client_with):
    client = client_with("view_userprofile")

    for name in ("change", "basket"):
        page = page_of(client, vouched, name)
        assert "They get mozilla-phone." in page
        assert vouched.user.email in page
        assert 'name="order"' not in page
        assert "Ask Basket" not in page
        assert "/admin/mozillians_basket/event/" not in page


def test_admin_who_may_order_sees_the_buttons(vouched, client_with):
    page = page_of(client_with("view_userprofile", "sync_members"), vouched)

    assert 'aria-label="Unsubscribe from mozilla-phone"' in page
    assert 'aria-label="Subscribe to mozilla-phone"' not in page
    assert 'aria-label="Subscribe to mozillians-nda"' in page
    assert "Sync now" in page


def test_an_opted_out_newsletter_needs_a_tick(vouched, admin_client):
    before = page_of(admin_client, vouched)
    Decision.objects.update(opted_out_at=timezone.now())
    Subscription.objects.update(state=State.OPTED_OUT, confirmed_at=None)

    page = page_of(admin_client, vouched)

    assert "although they opted out" not in before
    assert 'name="despite_opt_out"' in page
    assert "although they opted out" in page


def test_member_who_opted_out_of_everything_opted_out_of_newsletters_nobody_asked_for(
    vouched, admin_client
):
    Member.objects.update(opted_out_at=timezone.now())

    page = page_of(admin_client, vouched)

    nda = page.split('<th scope="row">mozillians-nda</th>')[1]
    assert '<td data-label="State">opted out</td>' in nda.split("</tr>")[0]


def test_problem_leads_to_its_page(vouched, admin_client, client_with):
    at = contact_of(vouched)
    Contact.objects.update(problem="unavailable", parked=True, failing_since=timezone.now())
    url = reverse("admin:mozillians_basket_failingcontact_change", args=[at.pk])

    page = page_of(admin_client, vouched)

    assert f'<a href="{url}">Look at the problem</a>' in page
    assert url not in page_of(client_with("view_userprofile"), vouched)


def test_with_the_switch_off_a_member_s_form_has_the_banner(vouched, admin_client):
    form = reverse("admin:people_userprofile_change", args=[vouched.pk])

    with override_switch(SWITCH, active=False):
        page = admin_client.get(form).content.decode()

    assert f'<a href="{reverse("admin:mozillians_basket_status_stop")}">' in page


@pytest.mark.parametrize("name", ["basket", "basket_ask"])
def test_admin_who_may_not_view_members_sees_nothing(vouched, client_with, name):
    client = client_with("sync_members", "view_contact")

    response = client.post(reverse(f"admin:people_userprofile_{name}", args=[vouched.pk]))

    assert response.status_code == 403


def test_a_member_who_does_not_exist_has_no_page(admin_client):
    assert admin_client.get("/admin/people/userprofile/12345/basket/").status_code == 404


def test_the_form_is_one_and_no_other_is_inside_it(vouched, admin_client):
    page = page_of(admin_client, vouched)

    depth = 0
    for part in page.split("<")[1:]:
        depth += part.startswith("form") - part.startswith("/form")
        assert depth in (0, 1)
    assert page.index('id="basket"') > page.index("_continue")


def test_adding_a_member_and_popups_show_no_panel(vouched, admin_client):
    change = reverse("admin:people_userprofile_change", args=[vouched.pk])

    added = admin_client.get(reverse("admin:people_userprofile_add")).content.decode()
    popup = admin_client.get(change, {"_popup": "1"}).content.decode()

    assert 'id="basket"' not in added
    assert 'id="basket"' not in popup


def test_a_template_of_the_site_s_own_is_kept(
    vouched, admin_client, monkeypatch, tmp_path, settings
):
    (tmp_path / "ours.html").write_text(
        '{% extends "admin/change_form.html" %}{% block form_top %}OUR OWN{% endblock %}'
    )
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    model_admin = admin.site.get_model_admin(UserProfile)
    monkeypatch.setattr(model_admin, "change_form_template", "ours.html")

    page = page_of(admin_client, vouched)

    assert "OUR OWN" in page
    assert "They get mozilla-phone." in page


def test_the_panel_costs_a_fixed_number_of_queries(basket, admin_client, vouched, commit):
    url = reverse("admin:people_userprofile_change", args=[vouched.pk])
    admin_client.get(url)  # warms up content types
    with CaptureQueriesContext(connection) as few:
        admin_client.get(url)
    with commit():
        VouchFactory.create_batch(3, vouchee__user__email=vouched.user.email)
    actor = UserFactory()
    Event.objects.bulk_create(
        Event(member=vouched, kind=Event.Kind.DECIDED, actor=actor) for _ in range(30)
    )

    with CaptureQueriesContext(connection) as many:
        admin_client.get(url)

    ours = [query for query in queries(many) if "mozillians_basket" in query]
    assert len(queries(many)) == len(queries(few))
    assert len(ours) <= 10
