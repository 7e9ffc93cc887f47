"""No page of the app shows a token or a key, nor an address to who may not view members."""

from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.app.all_pages import LOCAL_PARTS, TOKEN, walk
from tests.factories import UserFactory


def test_who_may_do_everything_sees_addresses_but_no_token_and_no_key(
    everything, basket, admin_client
):
    basket.put_person("first.address@example.com", newsletters=["mozilla-phone"])
    at_basket = basket.person("first.address@example.com").token

    said = walk(admin_client, everything)

    assert len(said) >= 15
    panel = said[reverse("admin:people_userprofile_change", args=[everything.pk])]
    assert "first.address@example.com" in panel
    for address, page in said.items():
        for secret in (TOKEN, at_basket, basket.api_key):
            assert secret not in page, address


def test_who_may_only_view_the_app_s_pages_sees_no_address(everything, basket, client):
    user = UserFactory(is_staff=True)
    permissions = Permission.objects.filter(
        content_type__app_label="mozillians_basket", codename__startswith="view_"
    )
    user.user_permissions.set(permissions)
    client.force_login(user)

    said = walk(client, everything)

    assert len(said) >= 8
    listed = said[reverse("admin:mozillians_basket_problem_changelist")]
    assert "s***s@e***.com" in listed
    assert "f***s@e***.com" in listed
    for address, page in said.items():
        for secret in (*LOCAL_PARTS, TOKEN, basket.api_key):
            assert secret not in page, address
