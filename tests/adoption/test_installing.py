"""Installing, upgrading and removing: each wrong step gives a message, each right one works."""

import re
import socket
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import MEMBERS, code_blocks, manage

pytestmark = pytest.mark.programs

SAVE = """
from django.contrib.auth.models import User
user = User.objects.create_superuser("{0}", "{0}@example.com")
user.save()
user.delete()
print("saved and deleted")
"""


def change_settings(site: Path, *lines: str) -> None:
    settings = site / "community" / "settings.py"
    settings.write_text("\n".join([settings.read_text(), *lines]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("del BASKET_MEMBER_MODEL", "ImproperlyConfigured: BASKET_MEMBER_MODEL is missing"),
        ("BASKET_MEMBER_MODEL = 'User'", "BASKET_MEMBER_MODEL = 'User' is no installed model"),
        ("BASKET_MEMBER_MODEL = 'auth.Usr'", "'auth.Usr' is no installed model. Name it as"),
        ("INSTALLED_APPS.remove('waffle')", 'mozillians_basket needs "waffle" in INSTALLED_APPS'),
        ("del BASKET_SITE", "BASKET_SITE is missing"),
        ("BASKET_URL = ''", "BASKET_URL is missing"),
        ("BASKET_API_KEY = ''", "BASKET_API_KEY is missing"),
    ],
)
def test_missing_setting_is_named(
    site: Path, basket_sandbox: SandboxServer, line: str, message: str
) -> None:
    change_settings(site, line)

    for command in (["check"], ["migrate"]):
        with pytest.raises(AssertionError, match=re.escape(message)):
            manage(site, basket_sandbox, *command)


def test_other_apps_can_be_migrated_first(site: Path, basket_sandbox: SandboxServer) -> None:
    (site / "db.sqlite3").unlink()

    manage(site, basket_sandbox, "migrate", "auth")
    with pytest.raises(AssertionError, match=r"migrations: Not applied: 0001_initial"):
        manage(site, basket_sandbox, "basket_doctor")
    manage(site, basket_sandbox, "migrate")

    told = manage(site, basket_sandbox, "shell", "-c", SAVE.format("ada"))
    assert "saved and deleted" in told


def test_missing_tables_are_named_and_can_be_made_again(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    manage(site, basket_sandbox, "migrate", "mozillians_basket", "zero")
    with pytest.raises(AssertionError, match="If its tables are missing, run"):
        manage(site, basket_sandbox, "shell", "-c", SAVE.format("ada"))
    with pytest.raises(AssertionError, match=r"migrations: Not applied: 0001_initial"):
        manage(site, basket_sandbox, "basket_doctor")

    manage(site, basket_sandbox, "migrate")

    told = manage(site, basket_sandbox, "shell", "-c", SAVE.format("bea"))
    assert "saved and deleted" in told


@pytest.mark.parametrize("tables", ["left", "dropped"])
def test_site_works_without_the_app_again(
    site: Path, basket_sandbox: SandboxServer, tables: str
) -> None:
    if tables == "dropped":
        manage(site, basket_sandbox, "migrate", "mozillians_basket", "zero")
    change_settings(site, "INSTALLED_APPS.remove('mozillians_basket')", "MIDDLEWARE.pop()")
    for name in code_blocks("README.md"):
        if name not in {"sh", "community/settings.py"}:
            (site / name).write_text("")

    for command in (["check"], ["migrate"], ["makemigrations", "--check"]):
        manage(site, basket_sandbox, *command)

    told = manage(site, basket_sandbox, "shell", "-c", SAVE.format("ada"))
    assert "saved and deleted" in told


@pytest.mark.parametrize("way", ["created", "renamed", "moved"])
def test_member_model_may_come_with_a_later_migration(
    site: Path, basket_sandbox: SandboxServer, way: str
) -> None:
    model = "\n\nclass Person(models.Model):\n    email = models.EmailField()\n"
    (site / "members" / "models.py").write_text(MEMBERS + model)
    manage(site, basket_sandbox, "makemigrations", "members", "--name", "person")
    if way == "renamed":
        (site / "members" / "migrations" / "0003_mozillian.py").write_text(RENAME)
        model = model.replace("Person", "Mozillian")
        (site / "members" / "models.py").write_text(MEMBERS + model)
    if way == "moved":
        person = site / "members" / "migrations" / "0002_person.py"
        state = "migrations.SeparateDatabaseAndState(database_operations=X, state_operations=X)"
        person.write_text(f"{person.read_text()}\n    X = operations\n    operations = [{state}]\n")
    name = "Mozillian" if way == "renamed" else "Person"
    (site / "community" / "basket.py").write_text(PLAIN_SITE)
    change_settings(site, f"BASKET_MEMBER_MODEL = 'members.{name}'")
    (site / "db.sqlite3").unlink()

    manage(site, basket_sandbox, "migrate")

    save = f"from members.models import {name}; {name}.objects.create(email='a@example.com')"
    manage(site, basket_sandbox, "shell", "-c", save)
    assert "No changes" in manage(site, basket_sandbox, "makemigrations", "--check", "--dry-run")


PLAIN_SITE = """
from mozillians_basket.site import BasketSite


class Community(BasketSite):
    email = "email"
"""

RENAME = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0002_person")]
    operations = [migrations.RenameModel("Person", "Mozillian")]
"""

#: Tests that an adopter already had.
EXISTING = """
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import LiveServerTestCase, TestCase, TransactionTestCase
from members.models import Membership


class CostTests(TestCase):
    def test_costs(self):
        with self.assertNumQueries(2):  # one INSERT more
            user = User.objects.create(username="ada")
        user.email = "ada@example.com"
        with self.assertNumQueries(2):
            user.save()
        with self.assertNumQueries(1):  # update_fields that do not matter
            user.save(update_fields=["last_login"])
        with self.assertNumQueries(2):
            Membership.objects.create(user=user, group="nda")
        with self.assertNumQueries(1):  # a model that is not watched
            Group.objects.create(name="nda")


class CommitTests(TransactionTestCase):
    def test_commit(self):
        User.objects.create(username="ada", email="ada@example.com", is_staff=True)


class ServerTests(LiveServerTestCase):
    def test_commit(self):
        User.objects.create(username="ada", email="ada@example.com", is_staff=True)
"""


def test_existing_tests_go_on_and_reach_no_broker(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    basket_sandbox.clear_requests()
    (site / "members" / "tests.py").write_text(EXISTING)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        url = f"redis://127.0.0.1:{broker.getsockname()[1]}"

        told = manage(site, basket_sandbox, "test", "members", broker=url)

        broker.setblocking(False)
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert "Ran 3 tests" in told
    assert basket_sandbox.requests == []
