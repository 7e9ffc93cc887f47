"""The pages on an admin site that is not Django's own."""

from types import ModuleType

import pytest
from django.contrib import admin
from django.test.utils import isolate_apps
from django.urls import path
from django.utils import timezone

from mozillians_basket.admin import BasketMemberAdmin
from mozillians_basket.models import Event
from project.people.models import UserProfile
from tests.app.steps import contact_of


class StaffMemberAdmin(BasketMemberAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    pass


@pytest.fixture
def staff_site(settings):
    """A second admin site, below ``/staff/``."""
    site = admin.AdminSite(name="staff")
    site.register(UserProfile, StaffMemberAdmin)
    urls = ModuleType("urls_of_two_sites")
    urls.urlpatterns = [path("admin/", admin.site.urls), path("staff/", site.urls)]
    settings.ROOT_URLCONF = urls
    return site


def test_each_link_and_order_stays_on_the_site(basket, vouched, admin_client, staff_site):
    change = f"/staff/people/userprofile/{vouched.pk}/change/"

    page = admin_client.get(change).content.decode()
    own = admin_client.get(f"/staff/people/userprofile/{vouched.pk}/basket/").content.decode()
    asked = admin_client.post(f"/staff/people/userprofile/{vouched.pk}/basket/ask/")
    ordered = admin_client.post(
        f"/staff/people/userprofile/{vouched.pk}/basket/", {"order": "sync"}
    )

    assert f'action="/staff/people/userprofile/{vouched.pk}/basket/"' in page
    assert f"/staff/mozillians_basket/event/?q={vouched.pk}" in page
    assert asked.status_code == 200
    assert ordered.headers["Location"] == f"{change}#basket"
    for text in (page, own, asked.content.decode()):
        assert '"/admin/' not in text


def test_the_list_of_problems_stays_on_the_site(basket, vouched, admin_client, staff_site):
    contact = contact_of(vouched)
    type(contact).objects.update(failing_since=timezone.now(), problem="unavailable")

    listed = admin_client.get("/staff/mozillians_basket/failingcontact/").content.decode()
    problem = admin_client.get(f"/staff/mozillians_basket/failingcontact/{contact.pk}/change/")
    asked = admin_client.post(
        "/staff/mozillians_basket/failingcontact/",
        {"action": "dismiss", "_selected_action": contact.pk},
    )

    for text in (listed, problem.content.decode(), asked.content.decode()):
        assert '"/admin/' not in text
        assert "/staff/" in text


def test_no_link_leads_to_a_history_that_is_not_registered(
    basket, vouched, admin_client, staff_site
):
    staff_site.unregister(Event)

    page = admin_client.get(f"/staff/people/userprofile/{vouched.pk}/change/").content.decode()

    assert "All that happened" not in page
    assert "They get mozilla-phone." in page


@pytest.fixture
def site_with_a_proxy(settings):
    """An admin site that shows members as a proxy of their model."""
    with isolate_apps():

        class Mozillian(UserProfile):
            class Meta:
                app_label = "people"
                proxy = True

    class MozillianAdmin(StaffMemberAdmin):
        search_fields = ("user__username",)

    site = admin.AdminSite(name="staff")
    site.register(Mozillian, MozillianAdmin)
    urls = ModuleType("urls_of_a_site_with_a_proxy")
    urls.urlpatterns = [path("admin/", admin.site.urls), path("staff/", site.urls)]
    settings.ROOT_URLCONF = urls
    return site


def test_members_shown_as_a_proxy_are_found_and_linked(
    basket, vouched, admin_client, site_with_a_proxy
):
    contact = contact_of(vouched)
    type(contact).objects.update(failing_since=timezone.now(), problem="unavailable")
    problems, member = (
        "/staff/mozillians_basket/failingcontact/",
        f"/staff/people/mozillian/{vouched.pk}",
    )

    panel = admin_client.get(f"{member}/change/").content.decode()
    found = admin_client.get(problems, {"q": vouched.user.username}).content.decode()
    nobody = admin_client.get(problems, {"q": "nobody"}).content.decode()
    problem = admin_client.get(f"{problems}{contact.pk}/change/").content.decode()

    assert f'action="{member}/basket/"' in panel
    assert f'<a href="{member}/change/">' in found
    assert f'<a href="{member}/change/">' not in nobody
    assert f'<a href="{member}/change/#basket">The member</a>' in problem
