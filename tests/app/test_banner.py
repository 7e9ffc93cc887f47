"""All pages of the app say so while nothing is sent to Basket."""

import pytest
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Status
from tests.app.all_pages import walk

OFF = "The switch BASKET_SWITCH_ENABLED is off: nothing is sent to Basket."


def is_of_the_app(address, page):
    """Leave out the site's own pages, and the admin's front page, the target for missing rows."""
    named = "mozillians_basket" in address or "/basket/" in address
    return named and "<html" in page and ' dashboard"' not in page


def test_with_the_switch_off_each_page_of_the_app_says_so(everything, admin_client):
    with override_switch(SWITCH, active=False):
        said = walk(admin_client, everything)

    pages = {address: page for address, page in said.items() if is_of_the_app(address, page)}
    assert len(pages) >= 20
    assert [address for address, page in pages.items() if OFF not in page] == []


@pytest.mark.parametrize(("kind", "page"), [("brake", "removals"), ("loss", "losses")])
def test_banner_links_to_a_question_for_admins_who_may_view_it(basket, staff, kind, page):
    Approval.objects.create(newsletter="mozilla-phone", kind=kind, since=timezone.now())
    link = reverse(f"admin:mozillians_basket_status_{page}")
    history = reverse("admin:mozillians_basket_event_changelist")

    may = staff("view_event", "view_status").get(history).content.decode()
    may_not = staff("view_event").get(history).content.decode()

    assert link in may
    assert "at once" in may_not
    assert link not in may_not


def test_a_newsletter_that_basket_does_not_know_is_named(basket, staff):
    Status.read()
    Status.objects.update(unknown_newsletters={"mozilla-phone": timezone.now().isoformat()})

    page = staff("view_event").get(reverse("admin:mozillians_basket_event_changelist"))

    assert "Basket does not know these newsletters: mozilla-phone." in page.content.decode()


@pytest.mark.parametrize("page", ["admin:index", "admin:people_userprofile_changelist"])
def test_front_page_and_member_list_say_that_the_switch_is_off(basket, admin_client, page):
    on = admin_client.get(reverse(page)).content.decode()
    with override_switch(SWITCH, active=False):
        off = admin_client.get(reverse(page)).content.decode()

    overview = reverse("admin:mozillians_basket_status_changelist")
    assert OFF not in on
    assert OFF in off
    assert f'href="{overview}"' in on


def test_front_page_says_nothing_to_admins_without_a_permission_for_the_app(basket, staff):
    with override_switch(SWITCH, active=False):
        page = staff("view_switch").get(reverse("admin:index")).content.decode()

    assert OFF not in page


def test_overview_is_the_first_entry_of_the_app(basket, admin_client):
    page = admin_client.get(reverse("admin:index"))

    (models,) = [app["models"] for app in page.context["app_list"]
                 if app["app_label"] == "mozillians_basket"]  # fmt: skip
    assert models[0]["object_name"] == "Status"
