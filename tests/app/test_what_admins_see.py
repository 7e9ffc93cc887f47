"""No page of the app shows a token or a key, nor an address to who may not view members."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.app.all_pages import LOCAL_PARTS, TOKEN, walk
from tests.app.steps import contact_of
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


@pytest.mark.parametrize("column", ["email", "wanted_email", "moving_to", "refused_email", "token"])
@pytest.mark.parametrize("page", ["contact", "problem"])
def test_nobody_finds_out_letter_by_letter_what_no_page_shows_them(
    everything, client_with, page, column
):
    hidden = getattr(contact_of(everything), column)
    url = reverse(f"admin:mozillians_basket_{page}_changelist")

    answer = client_with(f"view_{page}").get(url, {f"{column}__startswith": hidden[:3]})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("contact", "lookup__current__token__startswith"),
        ("contact", "member__user__email__startswith"),
        ("event", "contact__token__startswith"),
        ("event", "contact__email__startswith"),
        ("event", "batch__selection__icontains"),
        ("batch", "selection__icontains"),
        ("batch", "actor__password__startswith"),
    ],
)
def test_nor_by_way_of_another_row(everything, client_with, page, lookup):
    url = reverse(f"admin:mozillians_basket_{page}_changelist")

    answer = client_with(f"view_{page}").get(url, {lookup: "0"})

    assert answer.status_code == 400
