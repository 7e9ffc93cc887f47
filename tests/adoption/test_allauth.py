"""The documented address of a site with django-allauth: the primary and verified one."""

from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import build_with_members, code_blocks, held_after_each, manage

SETTINGS = """
INSTALLED_APPS += ["members", "allauth", "allauth.account"]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
BASKET_MEMBER_MODEL = "auth.User"
"""

HELP = """
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User


def add(email, **state):
    user, _made = User.objects.get_or_create(username="ada")
    return EmailAddress.objects.create(user=user, email=email, **state)


"""


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """A new Django project with allauth, and the site description from the docs."""
    basket = code_blocks("docs/allauth.md")["community/basket.py"]
    build_with_members(tmp_path, basket_sandbox, "", SETTINGS, basket=basket)
    return tmp_path


@pytest.mark.programs
def test_primary_and_verified_address_is_the_one_that_counts(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    assert "no signal" not in manage(site, basket_sandbox, "check")
    held = held_after_each(
        site,
        basket_sandbox,
        HELP,
        "add('ada@example.com', primary=True, verified=False)",
        "EmailAddress.objects.get(email='ada@example.com').set_verified()",
        "add('lovelace@example.com', verified=True)",
        "EmailAddress.objects.get(email='lovelace@example.com').set_as_primary()",
        "EmailAddress.objects.get(primary=True).delete()",
    )
    assert [set(people) for people in held] == [
        set(),
        {"ada@example.com"},
        {"ada@example.com"},
        {"lovelace@example.com"},
        set(),
    ]
