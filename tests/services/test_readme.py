"""The README's site with the processes of its own commands: a worker, beat, and a real broker."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import wait_until
from tests.adoption.community import build, code_blocks, environment, manage
from tests.services.servers import Redis

pytestmark = pytest.mark.services

JOIN = """
from django.contrib.auth.models import User
from members.models import Membership

ada = User.objects.create(username="ada", email="ada@example.com", is_staff=True)
Membership.objects.create(user=ada, group="nda")
"""

MOVE = """
from django.contrib.auth.models import User

ada = User.objects.get(username="ada")
ada.email = "moved@example.com"
ada.is_staff = False
ada.save()
"""


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer, redis: Redis) -> Iterator[Path]:
    """The site, with its worker and beat running."""
    build(tmp_path, basket_sandbox)
    redis.clear()
    commands = re.findall(r"^celery (.+)$", code_blocks("README.md")["sh"], re.MULTILINE)
    assert len(commands) == 2
    processes = []
    with (tmp_path / "processes.log").open("wb") as log:
        for command in commands:
            started = subprocess.Popen(
                [sys.executable, "-m", "celery", *command.split()],
                cwd=tmp_path,
                env=environment(tmp_path, basket_sandbox, redis.url),
                stdout=log,
                stderr=log,
            )
            processes.append(started)
        try:
            yield tmp_path
        finally:
            for started in processes:
                started.terminate()
            for started in processes:
                started.wait(30)


def test_readme_s_commands_keep_basket_in_step(
    site: Path, basket_sandbox: SandboxServer, redis: Redis
) -> None:
    def held(email: str) -> set[str]:
        person = basket_sandbox.person(email)
        return set(person.newsletters) if person else set()

    manage(site, basket_sandbox, "shell", "-c", JOIN, broker=redis.url)
    both = {"mozilla-phone", "mozillians-nda"}
    wait_until(lambda: held("ada@example.com") == both, timeout=60, what="the newsletters")

    manage(site, basket_sandbox, "shell", "-c", MOVE, broker=redis.url)
    nda = {"mozillians-nda"}
    wait_until(lambda: held("moved@example.com") == nda, timeout=60, what="the new address")
    wait_until(lambda: held("ada@example.com") == set(), timeout=60, what="the old address")
