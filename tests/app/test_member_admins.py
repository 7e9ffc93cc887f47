"""The mixin in all kinds of a site's own admins."""

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.test import override_settings
from django.urls import path, reverse

from mozillians_basket import tasks
from mozillians_basket.admin import BasketMemberAdmin
from mozillians_basket.models import BulkRequest
from project.people.models import UserProfile
from tests.app.bulk import SUBSCRIBE, UNSUBSCRIBE, text_of
from tests.factories import UserProfileFactory

CHANGELIST = "/office/people/userprofile/"


class Office(ModelAdmin):  # type: ignore[type-arg]
    list_display = ("full_name", "country")
    list_filter = ("country",)
    actions = ("greet",)

    def get_queryset(self, request):
        return super().get_queryset(request).exclude(country="CL")

    @admin.action
    def greet(self, request, queryset):
        """Do nothing."""


class MemberOffice(BasketMemberAdmin, Office):
    pass


class QuietOffice(MemberOffice):
    actions = None  # type: ignore[assignment]


class BrazilianOffice(MemberOffice):
    basket_actions = (SUBSCRIBE,)  # type: ignore[assignment]


office = AdminSite(name="office")
urlpatterns: list[object] = []


@pytest.fixture
def opened():
    """Open this page of the members on an admin site, without any other admin site."""

    def open_office(page):
        if office.is_registered(UserProfile):
            office.unregister(UserProfile)
        office.register(UserProfile, page)
        urlpatterns[:] = [path("office/", office.urls)]

    with override_settings(ROOT_URLCONF=__name__):
        yield open_office
    office.unregister(UserProfile)


def offered(client):
    text = client.get(CHANGELIST).content.decode()
    return [name for name in ("greet", SUBSCRIBE, UNSUBSCRIBE) if f'value="{name}"' in text]


def test_the_actions_are_added_to_the_site_s_own(basket, admin_client, opened):
    opened(MemberOffice)
    UserProfileFactory()

    assert offered(admin_client) == ["greet", SUBSCRIBE, UNSUBSCRIBE]


def test_a_site_that_turned_all_actions_off_has_none(basket, admin_client, opened):
    opened(QuietOffice)
    profile = UserProfileFactory()

    answer = admin_client.post(CHANGELIST, {"action": SUBSCRIBE, "_selected_action": [profile.pk]})

    assert offered(admin_client) == []
    assert answer.status_code == 200
    assert not BulkRequest.objects.exists()


def test_a_site_can_offer_one_of_the_two(basket, admin_client, opened):
    opened(BrazilianOffice)
    UserProfileFactory()

    assert offered(admin_client) == ["greet", SUBSCRIBE]


def test_the_whole_way_works_on_an_admin_site_of_one_s_own(basket, admin_client, opened):
    opened(MemberOffice)
    seen = UserProfileFactory.create_batch(2, country="BR")
    UserProfileFactory(country="AR")
    UserProfileFactory(country="CL")
    fields = {"action": SUBSCRIBE, "_selected_action": [seen[0].pk], "select_across": "1"}

    draft = admin_client.post(f"{CHANGELIST}?country__in=BR,CL", fields)
    asked = admin_client.get(draft.url)
    ordered = admin_client.post(draft.url, {"newsletters": ["mozilla-phone"]}, follow=True)
    tasks.sweep()

    assert draft.url.startswith("/office/mozillians_basket/bulkrequest/")
    assert 'href="/office/people/userprofile/?country__in=BR%2CCL"' in text_of(asked)
    assert ordered.redirect_chain[-1][0].startswith("/office/mozillians_basket/bulkrequest/")
    assert set(basket.people) == {profile.user.email for profile in seen}


def test_the_links_of_a_request_stay_on_its_admin_site(basket, admin_client, opened):
    opened(MemberOffice)
    request = BulkRequest.objects.create(
        action="subscribe", newsletters=["mozilla-phone"], state="running", total=1
    )
    url = reverse(
        "admin:mozillians_basket_bulkrequest_change", args=[request.pk], current_app="office"
    )

    text = text_of(admin_client.get(url))

    assert '="/admin/' not in text
    assert f"/office/mozillians_basket/bulkrequest/{request.pk}/cancel/" in text
