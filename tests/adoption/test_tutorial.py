"""A newcomer who follows docs/tutorial.md from an empty folder gets a site that works."""

import re
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import code_blocks, follow, manage, run
from tests.adoption.test_readme import STORY

PAGE = "docs/tutorial.md"

#: Commands that ask or go on until Ctrl-C. The test has a sandbox, and a worker in its story.
NOT_RUN = ("createsuperuser", "runserver")


@pytest.fixture
def commands() -> list[str]:
    return re.findall(r"^python manage\.py (.+)$", code_blocks(PAGE)["sh"], re.MULTILINE)


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """The project as ``startproject`` makes it, with the page's files."""
    begin = re.findall(r"^django-admin (startproject .+)$", code_blocks(PAGE)["sh"], re.MULTILINE)
    assert begin == ["startproject community ."]
    run(tmp_path, basket_sandbox, "-m", "django", *begin[0].split())
    manage(tmp_path, basket_sandbox, "startapp", "members")
    follow(tmp_path, PAGE)
    return tmp_path


@pytest.mark.programs
def test_tutorial_s_site_keeps_basket_in_step(
    site: Path, basket_sandbox: SandboxServer, commands: list[str]
) -> None:
    assert commands[0] == "startapp members"
    told = {
        command: manage(site, basket_sandbox, *command.split())
        for command in commands[1:]
        if command not in NOT_RUN
    }

    manage(site, basket_sandbox, "shell", "-c", STORY.replace("QUEUES", "None"))

    assert {"makemigrations members", "migrate", "check", "basket_reconcile --apply"} < told.keys()
    assert "no issues" in told["check"]
    held = {email: set(person.newsletters) for email, person in basket_sandbox.people.items()}
    assert held == {
        "staff@example.com": set(),
        "moved@example.com": {"mozilla-phone", "mozillians-nda"},
        "gone@example.com": set(),
    }


def test_tables_come_before_the_worker() -> None:
    commands = code_blocks(PAGE)["sh"]

    assert commands.index("manage.py migrate") < commands.index("celery -A community worker")
    assert commands.index("manage.py check") < commands.index("waffle_switch")
