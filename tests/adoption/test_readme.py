"""A site that follows the README's five steps keeps Basket in step."""

import re
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import manage

pytestmark = pytest.mark.programs

#: Changes on the site, each followed by a worker that runs until all is done.
STORY = """
import time
from threading import Timer
from celery.contrib.testing.worker import start_worker
from community.celery import app
from django.contrib.auth.models import User
from members.models import Membership
from mozillians_basket import dispatch, tasks
from mozillians_basket.ledger import queue
from mozillians_basket.models import Contact, Touch

def is_busy():
    leased = Contact.objects.exclude(lease="")
    return Touch.objects.exists() or queue.due().exists() or leased.exists()

def wake():
    for _ in range(2):
        tasks.sweep.apply_async(queue=QUEUES)

def work():
    dispatch.flush(30)
    patient = {"perform_ping_check": False, "shutdown_timeout": 60}
    with start_worker(app, pool="solo", queues=QUEUES, **patient):
        ends = time.monotonic() + 60
        while is_busy() and time.monotonic() < ends:
            time.sleep(0.05)
        # A worker that ends waits twice for a message, for two seconds.
        Timer(0.1, wake).start()

staff = User.objects.create(username="staff", email="staff@example.com", is_staff=True)
guest = User.objects.create(username="guest", email="guest@example.com")
gone = User.objects.create(username="gone", email="gone@example.com", is_staff=True)
Membership.objects.create(user=staff, group="nda")
Membership.objects.create(user=guest, group="other")
work()
staff.email = "moved@example.com"
staff.save()
gone.is_staff = False
gone.save()
work()
"""


@pytest.mark.parametrize("queue", ["", "newsletters"])
def test_the_readme_s_site_keeps_basket_in_step(
    site: Path, basket_sandbox: SandboxServer, queue: str
) -> None:
    with (site / "community" / "settings.py").open("a") as file:
        file.write(f"\nBASKET_QUEUE = {queue!r}\n")
    manage(site, basket_sandbox, "shell", "-c", STORY.replace("QUEUES", repr(queue or None)))

    held = {email: set(person.newsletters) for email, person in basket_sandbox.people.items()}
    assert held == {
        "staff@example.com": set(),
        "moved@example.com": {"mozilla-phone", "mozillians-nda"},
        "gone@example.com": set(),
    }


def test_the_readme_s_site_needs_no_migration_and_passes_the_checks(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    migrations = manage(site, basket_sandbox, "makemigrations", "--check", "--dry-run")
    checks = manage(site, basket_sandbox, "check")

    assert "No changes detected" in migrations
    # The only message is about SQLite as startproject sets it up.
    assert set(re.findall(r"mozillians_basket\.\w\d+", checks)) == {"mozillians_basket.W601"}


#: Names the settings of Celery that differ from those of a site without the app.
COMPARE = """
from celery import Celery
from community.celery import app

plain = Celery("plain", set_as_current=False)
names = [name for name in plain.conf.keys() if app.conf[name] != plain.conf[name]]
print("changed:", sorted(names), "schedule:", sorted(app.conf.beat_schedule))
"""


def test_the_readme_s_steps_change_nothing_global_in_celery(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    settings = site / "community" / "settings.py"
    own = 'CELERY_BEAT_SCHEDULE = {"own": {"task": "own.task", "schedule": 7.0}}'
    settings.write_text(f"{settings.read_text()}\n{own}\n")

    shown = manage(site, basket_sandbox, "shell", "-c", COMPARE)

    changed, schedule = (part.split("]")[0] for part in shown.split(": [")[1:])
    assert set(changed.split(", ")) == {"'beat_schedule'", "'broker_url'"}
    assert {"'own'", "'mozillians_basket.sweep'"} <= set(schedule.split(", "))


def test_a_mistake_in_the_description_is_a_numbered_message(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    description = site / "community" / "basket.py"
    description.write_text(description.read_text().replace("is_staff", "is_stuff"))

    with pytest.raises(AssertionError, match=r"mozillians_basket\.E110"):
        manage(site, basket_sandbox, "check")
