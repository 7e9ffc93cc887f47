"""Admins without the permission to change newsletters get no buttons, and masked addresses."""

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from tests.browser import past
from tests.browser.accessibility import assert_accessible
from tests.browser.crowd import address

pytestmark = pytest.mark.browser


@pytest.fixture
def admin(basket: object) -> User:
    """An admin who may view the app's tables, and nothing else."""
    user = User.objects.create_user("onlooker", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="mozillians_basket", codename__startswith="view_"
        )
    )
    return user


def test_an_onlooker_sees_problems_without_addresses_and_without_actions(
    admin_page: Page, site_with_a_past: None
) -> None:
    admin_page.goto("/admin/mozillians_basket/failingcontact/")

    rows = admin_page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    expect(admin_page.get_by_label("Action:")).to_have_count(0)
    expect(rows.filter(has_text="***")).to_have_count(2)
    expect(admin_page.get_by_text(address(past.REFUSED))).to_have_count(0)
    assert_accessible(admin_page)
