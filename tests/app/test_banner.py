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
