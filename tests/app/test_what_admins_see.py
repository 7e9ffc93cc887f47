"""No page shows a token or a key, or an address to admins who may not view members."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.app.all_pages import LOCAL_PARTS, TOKEN, walk
from tests.app.steps import contact_of
from tests.factories import UserFactory


def test_admin_with_all_permissions_sees_addresses_but_no_token_and_no_key(
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


def test_admin_who_may_only_view_the_app_s_pages_sees_no_address(everything, basket, client):
    user = UserFactory(is_staff=True)
    permissions = Permission.objects.filter(
        content_type__app_label="mozillians_basket", codename__startswith="view_"
    )
    user.user_permissions.set(permissions)
    client.force_login(user)

    said = walk(client, everything)

    assert len(said) >= 8
    listed = said[reverse("admin:mozillians_basket_failingcontact_changelist")]
    assert "s***s@e***.com" in listed
    assert "f***s@e***.com" in listed
    for address, page in said.items():
        for secret in (*LOCAL_PARTS, TOKEN, basket.api_key):
            assert secret not in page, address


@pytest.mark.parametrize("column", ["email", "key", "token"])
@pytest.mark.parametrize("page", ["contact", "failingcontact"])
def test_hidden_values_cannot_be_guessed_letter_by_letter(everything, client_with, page, column):
    hidden = getattr(contact_of(everything), column)
    url = reverse(f"admin:mozillians_basket_{page}_changelist")

    answer = client_with(f"view_{page}").get(url, {f"{column}__startswith": hidden[:3]})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("contact", "members__site_member__user__email__startswith"),
        ("contact", "moves_away__target__email__startswith"),
        ("event", "contact__token__startswith"),
        ("event", "contact__email__startswith"),
        ("event", "contact__key__startswith"),
        ("event", "member__user__email__startswith"),
        ("bulkrequest", "actor__password__startswith"),
    ],
)
def test_hidden_values_cannot_be_guessed_through_another_row(everything, client_with, page, lookup):
    url = reverse(f"admin:mozillians_basket_{page}_changelist")

    answer = client_with(f"view_{page}").get(url, {lookup: "0"})

    assert answer.status_code == 400
