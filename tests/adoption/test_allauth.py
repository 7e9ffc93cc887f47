"""The documented address of a site with django-allauth: the primary and verified one."""

from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import build_with_members, code_blocks, manage

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
    manage(tmp_path, basket_sandbox, "waffle_switch", "--create", "BASKET_SWITCH_ENABLED", "on")
    return tmp_path


@pytest.mark.slow
def test_primary_and_verified_address_is_the_one_that_counts(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    def does(*lines: str) -> set[str]:
        manage(site, basket_sandbox, "shell", "-c", HELP + "\n".join(lines))  # tasks are eager
        return {each for each, person in basket_sandbox.people.items() if person.newsletters}

    assert "no signal" not in manage(site, basket_sandbox, "check")
    assert does("add('ada@example.com', primary=True, verified=False)") == set()
    verify = "EmailAddress.objects.get(email='ada@example.com').set_verified()"
    assert does(verify) == {"ada@example.com"}
    assert does("add('lovelace@example.com', verified=True)") == {"ada@example.com"}
    choose = "EmailAddress.objects.get(email='lovelace@example.com').set_as_primary()"
    assert does(choose) == {"lovelace@example.com"}
    assert does("EmailAddress.objects.get(primary=True).delete()") == set()
