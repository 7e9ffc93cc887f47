"""Logging in, the first step of an admin."""

import re

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.accessibility import assert_accessible

pytestmark = pytest.mark.browser


def test_an_admin_logs_in_by_the_keyboard(page: Page, admin: User) -> None:
    admin.password = PBKDF2PasswordHasher().encode("a long password", "salt", 1000)
    admin.save()
    page.goto("/admin/")
    expect(page).to_have_url(re.compile("/admin/login/"))
    assert_accessible(page)

    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type("a long password")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    assert_accessible(page)
