"""A new Django project with only the code blocks of the README and the docs in it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mozillians_basket.sandbox.testing import SandboxServer

ROOT = Path(__file__).parents[2]

#: The models of the README's site before it adopts the app.
MEMBERS = """
from django.conf import settings
from django.db import models


class Membership(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    group = models.CharField(max_length=50)
"""


#: Makes the tables and the switch in one process: a start of Django takes as long as its work.
TABLES = """
import importlib
import os
import django

os.environ["DJANGO_SETTINGS_MODULE"] = "community.settings"
django.setup()
from django.core.management import call_command

call_command("makemigrations", "members")
importlib.invalidate_caches()
call_command("migrate")
call_command("waffle_switch", "BASKET_SWITCH_ENABLED", "on", create=True)
"""


def code_blocks(page: str) -> dict[str, str]:
    """Return the Python files of a page by name, and its shell commands under ``"sh"``."""
    blocks = re.findall(r"```(python|sh)\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    files = {"sh": "".join(text for language, text in blocks if language == "sh")}
    for language, text in blocks:
        if language == "python":
            name = re.match(r"# ([\w/]+\.py)\n", text)
            assert name is not None, text
            files[name[1]] = text
    return files


def named_files(page: str) -> list[tuple[str, str]]:
    """Return the Python files of a page in their order; parts of files have no name."""
    text = (ROOT / page).read_text()
    return re.findall(r"```python\n# ([\w/]+\.py)\n(.*?)```", text, re.DOTALL)


def follow(folder: Path, page: str) -> None:
    """Write a page's files into a project; settings are added to those that are there."""
    for name, text in named_files(page):
        path = folder / name
        is_added = name.endswith("settings.py")
        path.write_text(f"{path.read_text()}\n{text}" if is_added else text)


def build(folder: Path, basket: SandboxServer) -> Path:
    """Create the project, with an app of its own, and adopt by the README's steps."""
    run(folder, basket, "-m", "django", "startproject", "community", ".")
    (folder / "members" / "migrations").mkdir(parents=True)
    (folder / "members" / "__init__.py").touch()
    (folder / "members" / "migrations" / "__init__.py").touch()
    (folder / "members" / "models.py").write_text(MEMBERS)
    settings = folder / "community" / "settings.py"
    settings.write_text(settings.read_text() + "\nINSTALLED_APPS += ['members']\n")
    manage(folder, basket, "makemigrations", "members")
    files = code_blocks("README.md")
    settings.write_text(settings.read_text() + files.pop("community/settings.py"))
    commands = files.pop("sh")
    for name, text in files.items():
        (folder / name).write_text(text)
    for command in re.findall(r"^python manage\.py (.+)$", commands, re.MULTILINE):
        manage(folder, basket, *command.split())
    return folder


def build_with_members(
    folder: Path, server: SandboxServer, models: str, settings: str, **files: str
) -> Path:
    """
    Create the project with members of another kind, and the README's settings and Celery app.

    Its tasks are eager, and the switch is on.

    :param files: modules of the project by name, such as ``basket``.
    """
    run(folder, server, "-m", "django", "startproject", "community", ".")
    (folder / "members").mkdir()
    (folder / "members" / "__init__.py").touch()
    (folder / "members" / "models.py").write_text(models)
    blocks = code_blocks("README.md")
    (folder / "community" / "__init__.py").write_text(blocks["community/__init__.py"])
    eager = "app.conf.update(task_always_eager=True, task_eager_propagates=True)"
    (folder / "community" / "celery.py").write_text(blocks["community/celery.py"] + eager)
    for name, text in files.items():
        (folder / "community" / f"{name}.py").write_text(text)
    path = folder / "community" / "settings.py"
    path.write_text(f"{path.read_text()}\n{blocks['community/settings.py']}\n{settings}")
    run(folder, server, "-c", TABLES)
    return folder


def environment(folder: Path, basket: SandboxServer, broker: str = "memory://") -> dict[str, str]:
    """Return the environment of the README's site."""
    mine = {n: value for n, value in os.environ.items() if n != "DJANGO_SETTINGS_MODULE"}
    return {
        **mine,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "BASKET_URL": basket.url,
        "BASKET_API_KEY": basket.api_key,
        "BROKER_URL": broker,
    }


def run(folder: Path, basket: SandboxServer, *arguments: str, broker: str = "memory://") -> str:
    """Run Python in the project; return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder, basket, broker),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


#: Prints the newsletters of everybody at Basket who gets some.
SHOW = """
import json
from django.conf import settings
from mozillians_basket.sandbox.control_client import ControlClient

basket = ControlClient(settings.BASKET_URL, settings.BASKET_API_KEY)
people = basket.ask("GET", "people")["people"]
basket.close()
print("HELD", json.dumps({p["email"]: p["newsletters"] for p in people if p["newsletters"]}))
"""


def held_after_each(
    folder: Path, server: SandboxServer, preparation: str, *changes: str
) -> list[dict[str, list[str]]]:
    """Make changes in one process of the site; return what Basket holds after each of them."""
    code = "\n".join([preparation, *(f"{change}\n{SHOW}" for change in changes)])
    told = manage(folder, server, "shell", "-c", code)
    return [json.loads(text) for text in re.findall(r"^HELD (.+)$", told, re.MULTILINE)]


def manage(folder: Path, basket: SandboxServer, *arguments: str, broker: str = "memory://") -> str:
    """Run one of the project's commands; return its output."""
    return run(folder, basket, "manage.py", *arguments, broker=broker)
