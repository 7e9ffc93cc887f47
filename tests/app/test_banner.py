"""While nothing goes to Basket, all pages of the app say so."""

from django.urls import reverse
from waffle.testutils import override_switch

from mozillians_basket import releases
from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Pulse
from tests.app.all_pages import walk

OFF = "The switch BASKET_SWITCH_ENABLED is off: nothing is sent to Basket."


def is_of_the_app(address, page):
    """Not the site's own pages, nor the front page, to which a row leads that is not there."""
    named = "mozillians_basket" in address or "/basket/" in address
    return named and "<html" in page and ' dashboard"' not in page


def test_with_the_switch_off_each_page_of_the_app_says_so(everything, admin_client):
    with override_switch(SWITCH, active=False):
        said = walk(admin_client, everything)

    pages = {address: page for address, page in said.items() if is_of_the_app(address, page)}
    assert len(pages) >= 20
    assert [address for address, page in pages.items() if OFF not in page] == []


def test_it_leads_to_a_brake_who_may_look_at_it(basket, staff):
    Pulse.now()
    Pulse.objects.update(brakes={"mozilla-phone": {"removals": 9, "of": 10}})
    link = reverse(f"admin:mozillians_basket_pulse_{releases.Brake.REMOVALS}")
    batches = reverse("admin:mozillians_basket_batch_changelist")

    may = staff("view_batch", "view_pulse").get(batches).content.decode()
    may_not = staff("view_batch").get(batches).content.decode()

    assert link in may
    assert "A brake is on" in may_not
    assert link not in may_not
