"""The files of the how-to guides work in a site that follows them."""

from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import (
    ROOT,
    build_with_members,
    code_blocks,
    follow,
    held_after_each,
    manage,
    named_files,
)

pytestmark = pytest.mark.programs

SETTINGS = """
INSTALLED_APPS += ["members"]
BASKET_MEMBER_MODEL = "auth.User"
"""

ADA = """
from django.contrib.auth.models import Group, User
ada = User.objects.create(username="ada", email="ada@example.com")
"""


def adopted(folder: Path, server: SandboxServer, page: str) -> Path:
    """Build a site of Django's users with a page's description; its tasks are eager."""
    [basket] = [text for name, text in named_files(page) if name == "community/basket.py"]
    return build_with_members(folder, server, "", SETTINGS, basket=basket)


def test_members_of_django_s_groups(tmp_path: Path, basket_sandbox: SandboxServer) -> None:
    site = adopted(tmp_path, basket_sandbox, "docs/groups.md")
    group = "group, _made = Group.objects.get_or_create(name='nda')"
    news = {"ada@example.com": ["mozillians-nda"]}

    assert "no signal" not in manage(site, basket_sandbox, "check")
    assert held_after_each(
        site,
        basket_sandbox,
        ADA,
        group,
        "ada.groups.add(group)",
        "group.user_set.remove(ada)",
        "group.user_set.add(ada)",
        "group.delete()",
    ) == [{}, news, {}, news, {}]


def test_members_who_are_deleted_by_a_flag(tmp_path: Path, basket_sandbox: SandboxServer) -> None:
    site = adopted(tmp_path, basket_sandbox, "docs/soft-deletion.md")

    assert "no signal" not in manage(site, basket_sandbox, "check")
    assert held_after_each(
        site,
        basket_sandbox,
        ADA,
        "ada.is_staff = True; ada.save()",
        "ada.is_active = False; ada.save()",
    ) == [{"ada@example.com": ["mozilla-phone"]}, {}]


PAGES = """
from django.contrib.auth.models import User
from django.test import Client

client = Client()
client.force_login(User.objects.create_superuser("root", "root@example.com"))
for path in PATHS:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    print(path, answer.content.decode())
"""


def add(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text()}\n{text}")


def block(page: str, part: str) -> str:
    """Return the one block of Python in a page that holds some text."""
    blocks = (ROOT / page).read_text().split("```python\n")[1:]
    [found] = [text.partition("```")[0] for text in blocks if part in text.partition("```")[0]]
    return found


def test_pages_for_admins_and_members(site: Path, basket_sandbox: SandboxServer) -> None:
    follow(site, "docs/custom-admin.md")
    files = dict(named_files("docs/members.md"))
    (site / "community" / "views.py").write_text(files["community/views.py"])
    add(site / "community" / "urls.py", files["community/urls.py"])
    office = "from community.office import office\nurlpatterns += [path('office/', office.urls)]"
    add(site / "community" / "urls.py", office)
    add(site / "community" / "settings.py", "ALLOWED_HOSTS = ['testserver']")
    paths = [
        "/admin/auth/user/",
        "/office/auth/user/",
        "/office/mozillians_basket/status/",
        "/newsletters/",
    ]

    shown = manage(site, basket_sandbox, "shell", "-c", PAGES.replace("PATHS", repr(paths)))

    assert shown.count('value="subscribe_user_to_basket"') == 2
    assert "column-is_staff" in shown
    assert "mozilla-phone" in shown.partition("/newsletters/ ")[2]


#: Prints the settings that the Celery app has from the page's text.
CELERY = """
from celery.signals import task_prerun
from community.celery import app, renew_connections
from django.conf import settings

print("transport:", app.connection_for_write().transport_cls)
print("options:", sorted(app.conf.broker_transport_options))
print("prefetch:", app.conf.worker_prefetch_multiplier, app.conf.task_publish_retry)
print("schedule:", sorted(app.conf.beat_schedule))
print("connections:", settings.DATABASES["default"]["CONN_MAX_AGE"])
print("renewed:", renew_connections in [receiver() for _key, receiver in task_prerun.receivers])
"""


@pytest.mark.parametrize(
    ("part", "url", "transport", "option"),
    [
        ("visibility_timeout", "redis://broker:6379/0", "redis", "visibility_timeout"),
        ("confirm_publish", "amqp://site:x@broker:5672//", "amqp", "confirm_publish"),
    ],
)
def test_celery_as_the_guides_set_it_up(
    site: Path, basket_sandbox: SandboxServer, part: str, url: str, transport: str, option: str
) -> None:
    settings, celery = site / "community" / "settings.py", site / "community" / "celery.py"
    add(settings, block("docs/deploying-your-site.md", part))
    add(settings, block("docs/deploying-your-site.md", "CELERY_DB_REUSE_MAX"))
    add(settings, block("docs/existing-celery.md", "**basket_beat_schedule("))
    celery.write_text(
        code_blocks("README.md")["community/celery.py"].replace("add_periodic_tasks(app)", "")
    )
    add(celery, block("docs/deploying-your-site.md", "close_old_connections"))

    told = manage(site, basket_sandbox, "shell", "-c", CELERY, broker=url)

    assert f"transport: {transport}" in told
    assert repr(option) in told
    assert "prefetch: 1 False" in told
    assert "'mozillians_basket.sweep'" in told
    assert "'own-task'" in told
    assert "connections: 60" in told
    assert "renewed: True" in told
