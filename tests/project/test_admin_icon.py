"""The admin's pages name their icon, so that browsers ask for no other one."""

import pytest
from django.test import Client
from django.urls import reverse


@pytest.mark.django_db
def test_admin_pages_name_their_icon(client: Client, admin_client: Client) -> None:
    pages = [
        client.get(reverse("admin:login")),
        admin_client.get(reverse("admin:people_userprofile_changelist")),
        admin_client.get(reverse("admin:mozillians_basket_status_changelist")),
    ]

    assert ['<link rel="icon"' in page.content.decode() for page in pages] == [True] * 3
