"""The examples of docs/testing-your-site.md run unchanged on the README's site."""

import re
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import code_blocks, manage, run

pytestmark = pytest.mark.programs

PAGE = "docs/testing-your-site.md"
NO_BROKER = "redis://127.0.0.1:1"
DJANGO = ("-p", "no:cacheprovider", "--ds", "community.settings")


@pytest.fixture
def site(site: Path, basket_sandbox: SandboxServer) -> Path:
    """The README's site, with the page's tests in it."""
    for name, text in code_blocks(PAGE).items():
        if name != "sh":
            (site / name).write_text(text)
    (site / "pytest.ini").write_text("[pytest]\npython_files = tests.py test_*.py\n")
    basket_sandbox.clear_requests()
    return site


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_examples_for_pytest_pass(
    site: Path, basket_sandbox: SandboxServer, options: tuple[str, ...]
) -> None:
    told = run(site, basket_sandbox, "-m", "pytest", *DJANGO, *options)

    number = sum(text.count("def test_") for text in code_blocks(PAGE).values())
    assert re.search(rf"\b{number} passed", told), told
    assert basket_sandbox.requests == []


@pytest.mark.parametrize("options", [(), ("--parallel", "2")], ids=["one process", "parallel"])
def test_examples_for_django_s_runner_pass(
    site: Path, basket_sandbox: SandboxServer, options: tuple[str, ...]
) -> None:
    told = manage(site, basket_sandbox, "test", "members.tests", *options)

    assert "Ran 2 tests" in told
    assert "OK" in told
    assert basket_sandbox.requests == []


#: Tests of a suite that uses nothing of the plugin.
WITHOUT_ASKING = """
import pytest
from django.contrib.auth.models import User
from django.test import SimpleTestCase, TransactionTestCase


@pytest.mark.django_db(transaction=True)
def test_a_commit_sends_nothing(caplog, basket_messages):
    User.objects.create(username="ada", email="ada@example.com", is_staff=True)
    [(name, _arguments)] = basket_messages
    assert name.endswith(".lookup_users_task")


class CommitTests(TransactionTestCase):
    def test_a_commit_sends_nothing(self):
        User.objects.create(username="ada", email="ada@example.com", is_staff=True)


class PureTests(SimpleTestCase):
    def test_without_a_database(self):
        self.assertTrue(True)


def test_without_anything():
    assert True
"""

#: Tests of all kinds that use the plugin by the page's conftest.
OF_ALL_KINDS = """
import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from mozillians_basket.api import opt_out
from mozillians_basket.sandbox.site_tests import basket_settled as settle
from mozillians_basket.signals import opted_out, subscription_confirmed
from waffle.models import Switch

PHONE = "mozilla-phone"


@pytest.fixture
def told():
    found = []

    def receive(signal, newsletter, **named):
        found.append((signal, newsletter))

    for signal in (opted_out, subscription_confirmed):
        signal.connect(receive, weak=False)
    yield found
    for signal in (opted_out, subscription_confirmed):
        signal.disconnect(receive)


def ada():
    return User.objects.create(username="ada", email="ada@example.com", is_staff=True)


@pytest.mark.parametrize(
    "kind", [pytest.param(True, marks=pytest.mark.django_db(transaction=True)),
             pytest.param(False, marks=pytest.mark.django_db)]
)
def test_signals_are_sent(basket, basket_settled, told, kind):
    member = ada()
    opt_out(member, [PHONE])
    assert told == []

    basket_settled()

    assert told == [(opted_out, PHONE)]
    assert not basket.people or basket.person("ada@example.com").newsletters == set()


@pytest.mark.django_db
def test_what_is_rolled_back_is_not_told(basket, basket_settled, told):
    member = ada()
    basket_settled()
    told.clear()
    with transaction.atomic():
        opt_out(member, [PHONE])
        transaction.set_rollback(True)

    basket_settled()

    assert told == []
    assert basket.person("ada@example.com").newsletters == {PHONE}


@pytest.mark.django_db
def test_own_callbacks_run_at_the_commit(basket_settled):
    found = []
    transaction.on_commit(lambda: found.append(1))
    assert found == []

    basket_settled()
    basket_settled()

    assert found == [1]


@pytest.mark.django_db
def test_with_the_switch_off_nothing_is_sent(basket, basket_settled):
    Switch.objects.filter(name="BASKET_SWITCH_ENABLED").update(active=False)
    Switch(name="BASKET_SWITCH_ENABLED").flush()
    ada()

    basket_settled()

    assert basket.requests == []


class InATestCase(TestCase):
    def test_fixtures_of_the_conftest_are_used(self):
        ada()
        settle()


class InATransactionTestCase(TransactionTestCase):
    def test_fixtures_of_the_conftest_are_used(self):
        ada()
        settle()


class Pure(SimpleTestCase):
    def test_without_a_database(self):
        self.assertTrue(True)


def test_without_anything():
    assert True
"""


def test_no_message_leaves_a_test_that_does_not_ask(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    (site / "conftest.py").unlink()
    (site / "members" / "test_all.py").write_text(WITHOUT_ASKING)

    told = run(
        site,
        basket_sandbox,
        "-m",
        "pytest",
        *DJANGO,
        "members/test_all.py",
        "-rA",
        broker=NO_BROKER,
    )

    assert "4 passed" in told
    assert "The broker took no message" not in told
    assert basket_sandbox.requests == []


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_plugin_works_for_tests_of_all_kinds(
    site: Path, basket_sandbox: SandboxServer, options: tuple[str, ...]
) -> None:
    (site / "members" / "test_all.py").write_text(OF_ALL_KINDS)

    told = run(site, basket_sandbox, "-m", "pytest", *DJANGO, *options, "members/test_all.py")

    assert "9 passed" in told
    assert basket_sandbox.requests == []
