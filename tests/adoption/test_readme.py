"""A site that is built from the README's five steps keeps Basket in step."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer

ROOT = Path(__file__).parents[2]

#: What the README's site has of its own before it adopts the app.
MEMBERS = """
from django.conf import settings
from django.db import models


class Membership(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    group = models.CharField(max_length=50)
"""

#: What the test adds so that tasks run where they are sent, in place of a worker.
EAGER = """
app.conf.task_always_eager = True
app.conf.task_eager_propagates = True
"""

STORY = """
from django.contrib.auth.models import User
from members.models import Membership

staff = User.objects.create(username="staff", email="staff@example.com", is_staff=True)
guest = User.objects.create(username="guest", email="guest@example.com")
gone = User.objects.create(username="gone", email="gone@example.com", is_staff=True)
Membership.objects.create(user=staff, group="nda")
Membership.objects.create(user=guest, group="other")
staff.email = "moved@example.com"
staff.save()
gone.is_staff = False
gone.save()
"""


def code_blocks() -> dict[str, str]:
    """The README's Python files by name, and its shell commands under ``"sh"``."""
    blocks = re.findall(r"```(python|sh)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    files = {"sh": "".join(text for language, text in blocks if language == "sh")}
    for language, text in blocks:
        if language == "python":
            name = re.match(r"# ([\w/]+\.py)", text)
            assert name is not None, text
            files[name[1]] = text
    return files


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """A new Django project with the README's code in it."""
    run(tmp_path, basket_sandbox, "-m", "django", "startproject", "community", ".")
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / "__init__.py").touch()
    (tmp_path / "members" / "models.py").write_text(MEMBERS)
    files = code_blocks()
    settings = (tmp_path / "community" / "settings.py").read_text()
    for name in ("basket.py", "celery.py", "__init__.py", "admin.py"):
        (tmp_path / "community" / name).write_text(files[f"community/{name}"])
    with (tmp_path / "community" / "celery.py").open("a") as file:
        file.write(EAGER)
    (tmp_path / "community" / "settings.py").write_text(
        f"import os\n{settings}\nINSTALLED_APPS.append('members')\n{files['community/settings.py']}"
    )
    urls = (tmp_path / "community" / "urls.py").read_text()
    (tmp_path / "community" / "urls.py").write_text(f"{urls}\nimport community.admin\n")
    manage(tmp_path, basket_sandbox, "makemigrations", "members")
    for command in re.findall(r"^python manage\.py (.+)$", files["sh"], re.MULTILINE):
        manage(tmp_path, basket_sandbox, *command.split())
    return tmp_path


def run(folder: Path, basket: SandboxServer, *arguments: str) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **environment,
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "BASKET_URL": basket.url,
            "BASKET_API_KEY": basket.api_key,
            "BROKER_URL": "memory://",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def manage(folder: Path, basket: SandboxServer, *arguments: str) -> str:
    return run(folder, basket, "manage.py", *arguments)


def test_the_readme_s_site_keeps_basket_in_step(site: Path, basket_sandbox: SandboxServer) -> None:
    manage(site, basket_sandbox, "shell", "-c", STORY)

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
    # SQLite as startproject sets it up is the one thing to improve.
    assert set(re.findall(r"mozillians_basket\.\w\d+", checks)) == {"mozillians_basket.W001"}


def test_a_mistake_in_the_description_is_a_numbered_message(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    description = site / "community" / "basket.py"
    description.write_text(description.read_text().replace("is_staff", "is_stuff"))

    with pytest.raises(AssertionError, match=r"mozillians_basket\.E009"):
        manage(site, basket_sandbox, "check")
