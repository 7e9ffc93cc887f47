"""The app works with members and its tables in a database other than the default one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer

ROOT = Path(__file__).parents[2]

STORY = """
import django

django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections, transaction
from waffle.models import Switch

from mozillians_basket import bulk, tasks
from mozillians_basket.models import BulkRequest, Contact
from mozillians_basket.upkeep import reconcile, verification
from project.celery import app
from tests.factories import UserProfileFactory, VouchFactory

for database in ("default", "members"):
    call_command("migrate", database=database, verbosity=0)
app.conf.update(task_always_eager=True, task_eager_propagates=True)
Switch.objects.create(name="BASKET_SWITCH_ENABLED", active=True)

with transaction.atomic(using="members"):
    profile = VouchFactory(vouchee__user__email="ana@example.com").vouchee
profile.user.email = "moved@example.com"
with transaction.atomic(using="members"):
    profile.user.save()
quiet = UserProfileFactory(user__email="quiet@example.com")
type(quiet).objects.filter(pk=quiet.pk).update(is_vouched=True)
reconcile.apply()
tasks.sweep()
verification.verify(None)
tasks.sweep()
tasks.unsubscribe_from_basket_task("quiet@example.com", ["mozilla-phone"])
tasks.subscribe_user_to_basket(profile.pk, ["mozillians-nda"])
tasks.update_email_in_basket("bare@example.com", "bare-moved@example.com")
request = bulk.draft(BulkRequest.Action.SUBSCRIBE, [quiet.pk], actor=None)
bulk.confirm(request, ["mozillians-nda"])
for _ in range(3):
    Contact.objects.update(not_before=None)
    tasks.sweep()
tables = connections["default"].introspection.table_names()
print("tables", [name for name in tables if "basket" in name])
"""


@pytest.mark.programs
def test_members_and_ledger_may_be_in_another_database(
    basket_sandbox: SandboxServer, tmp_path: Path
) -> None:
    basket_sandbox.put_person("bare@example.com", newsletters=["mozilla-phone"])

    done = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.adoption.settings_two_databases",
            "PROJECT_VAR": str(tmp_path),
            "BASKET_URL": basket_sandbox.url,
            "BASKET_API_KEY": basket_sandbox.api_key,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "tables []" in done.stdout
    has = {email: set(each.newsletters) for email, each in basket_sandbox.people.items()}
    assert has == {
        "ana@example.com": set(),
        "moved@example.com": {"mozilla-phone", "mozillians-nda"},
        "quiet@example.com": {"mozillians-nda"},
        "bare@example.com": set(),
        "bare-moved@example.com": {"mozilla-phone"},
    }
