"""The services of compose.yaml as plain processes: all of it but Docker's engine."""

import http.cookiejar
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from project.processes import ROOT, Process, free_port, wait_until
from tests.services import compose
from tests.services.servers import PostgreSQL, program

pytestmark = [pytest.mark.services, pytest.mark.slow]

SERVICES = compose.services()

VOUCH = """
from django.contrib.auth.models import User
from project.people.models import UserProfile, Vouch

user = User.objects.create(username="ana", email="ana@example.com")
profile = UserProfile.objects.create(user=user)
Vouch.objects.create(vouchee=profile)
"""


class Service(Process):
    """A service of compose.yaml, ready once its health check passes or it says what it says."""

    start_timeout = 300.0

    def __init__(
        self, command: list[str], environment: Mapping[str, str], ready: Callable[[str], bool]
    ) -> None:
        super().__init__()
        self._command, self._environment, self._ready = command, environment, ready

    def command(self) -> list[str]:
        return self._command

    def environment(self) -> Mapping[str, str]:
        return self._environment

    def is_ready(self) -> bool:
        return self._ready(self.log)


class Composed:
    """The running services."""

    def __init__(self, folder: Path, postgres: PostgreSQL, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        compose.write_names(folder)
        self._ports = ports = {name: free_port() for name in ("site", "sandbox", "redis")}
        self.site, self.sandbox = (f"http://localhost:{ports[n]}" for n in ("site", "sandbox"))
        #: The places of containers, and those of this machine that stand for them.
        self.places = {
            "0.0.0.0:8000": f"127.0.0.1:{ports['site']}",
            "localhost:8000": f"localhost:{ports['site']}",
            "localhost:8001": f"localhost:{ports['sandbox']}",
            "sandbox:8001": f"sandbox:{ports['sandbox']}",
            "redis:6379": f"redis:{ports['redis']}",
            "postgres:5432": f"postgres:{postgres.port}",
            "/var/lib/site": str(folder / "var"),
            "/srv/static": str(folder / "static"),
        }
        self._python = self._image(folder / "image")
        self.services: dict[str, Service] = {}

    def _image(self, folder: Path) -> Path:
        """Make the environment of the image: what requirements/prod.txt lists, and no more."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install = ("-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--only-binary")
        python = folder / "bin" / "python"
        subprocess.run(
            [sys.executable, *install, ":all:", "--python", python, "-r", "requirements/prod.txt"],
            cwd=ROOT,
            check=True,
        )
        return python

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service: the Dockerfile's, then compose.yaml's."""
        service = SERVICES[name]
        image = compose.environment(service["build"]["target"])
        given = {key: str(value) for key, value in service["environment"].items()}
        found = {key: compose.put(value, self.places) for key, value in {**image, **given}.items()}
        bin_folder = self._python.parent if name != "sandbox" else Path(sys.executable).parent
        return {
            **found,
            "PATH": f"{bin_folder}:/usr/bin:/bin",
            "PYTHONPATH": f"{self._folder}:{ROOT}",
            "PGHOSTADDR": "127.0.0.1",
            "HOSTNAME": socket.gethostname(),
        }

    def command(self, name: str) -> list[str]:
        """Return the command of a service, or of its image."""
        command = SERVICES[name].get("command")
        if command is None:
            target = SERVICES[name]["build"]["target"]
            command = json.loads(compose.instruction(target, "CMD"))
        return self._found(name, compose.bind(compose.words(command), self.places))

    def _found(self, name: str, command: list[str]) -> list[str]:
        """Name the program by its path, as PATH is that of another environment."""
        first, *rest = command
        folder = self.environment(name)["PATH"].partition(":")[0]
        path = Path(folder, first)
        return [str(path) if path.exists() else first, *rest]

    def run(self, name: str, *command: str, **environment: str) -> str:
        """Run a command in a service, as ``docker compose exec`` does; return what it said."""
        ended = subprocess.run(
            self._found(name, list(command)),
            cwd=ROOT,
            env={**self.environment(name), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service."""
        command = compose.bind(compose.health(SERVICES[name]), self.places)
        found = self._found(name, command)
        environment = self.environment(name)
        return not subprocess.run(
            found, cwd=ROOT, env=environment, capture_output=True, timeout=300, check=False
        ).returncode

    def start(self, name: str, ready: Callable[[str], bool] | None = None) -> None:
        """Start a service, and wait until its health check passes, or until ``ready``."""
        command = self.command(name)
        if name == "sandbox":  # other machines of compose's network may reach it there
            here = {"0.0.0.0": "127.0.0.1", "8001": str(self._ports["sandbox"])}
            command = compose.bind(command, here)
        waits = ready or (lambda _log: self.is_healthy(name))
        service = Service(["env", "-C", str(ROOT), *command], self.environment(name), waits)
        self._stack.enter_context(service)
        self.services[name] = service

    def start_redis(self) -> None:
        """Start Redis by the command of its service, on a free port of loopback."""
        _server, *options = compose.words(SERVICES["redis"]["command"])
        check = compose.health(SERVICES["redis"])
        ask = [program(check[0]), "-p", str(self._ports["redis"]), *check[1:]]
        data = self._folder / "redis"
        data.mkdir()
        here = ("--port", str(self._ports["redis"]), "--bind", "127.0.0.1", "--dir", str(data))

        def answers(_log: str) -> bool:
            said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
            return said.strip() == "PONG"

        self._stack.enter_context(Service([program("redis-server"), *options, *here], {}, answers))


@pytest.fixture(scope="module")
def composed(postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Start everything in the order of ``depends_on``."""
    given = SERVICES["postgres"]["environment"]
    import psycopg  # `make test` collects this file too, and has no driver for PostgreSQL

    with psycopg.connect(postgres.database_url("postgres"), autocommit=True) as connection:
        user, name = given["POSTGRES_USER"], given["POSTGRES_DB"]
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{given['POSTGRES_PASSWORD']}'")
        connection.execute(f"CREATE DATABASE {name} OWNER {user}")
    with ExitStack() as stack:
        running = Composed(tmp_path_factory.mktemp("compose"), postgres, stack)
        running.start_redis()
        running.start("sandbox")
        build = compose.instruction("site", "RUN")
        running.run("site", "sh", "-c", compose.put(build, running.places))
        running.run("migrate", *compose.words(SERVICES["migrate"]["command"]))
        running.start("site")
        running.start("worker")
        running.start("beat", lambda log: "beat: Starting..." in log)
        yield running


def browser() -> OpenerDirector:
    return build_opener(HTTPCookieProcessor(http.cookiejar.CookieJar()))


def sign_in(opener: OpenerDirector, site: str, **account: str) -> str:
    """Sign in to the admin; return the page that it leads to."""
    form = opener.open(f"{site}/admin/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token is not None
    fields = {**account, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    request = Request(f"{site}/admin/login/", urlencode(fields).encode())
    return str(opener.open(request).read().decode())


def test_image_of_every_service_is_a_stage_of_the_dockerfile() -> None:
    built = {service["build"]["target"] for service in SERVICES.values() if "build" in service}

    assert built == {"site", "sandbox"}
    assert all(compose.stage(target) for target in built)


def test_superuser_can_be_made_and_signs_in_over_plain_http(composed: Composed) -> None:
    composed.run(
        "site", "python", "manage.py", "createsuperuser", "--noinput",
        DJANGO_SUPERUSER_USERNAME="admin",
        DJANGO_SUPERUSER_EMAIL="admin@example.com",
        DJANGO_SUPERUSER_PASSWORD="only-for-this-test",
    )  # fmt: skip

    page = sign_in(browser(), composed.site, username="admin", password="only-for-this-test")

    assert "Log out" in page


def test_static_files_are_served_compressed_and_for_ever(composed: Composed) -> None:
    page = browser().open(f"{composed.site}/admin/login/").read().decode()
    style = re.search(r'href="(/static/admin/css/base\.\w+\.css)"', page)
    assert style is not None

    answer = browser().open(
        Request(f"{composed.site}{style[1]}", headers={"Accept-Encoding": "gzip"})
    )

    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["sandbox", "site", "worker"])
def test_health_check_passes_while_the_service_runs(composed: Composed, name: str) -> None:
    assert composed.is_healthy(name)


def test_sandbox_s_admin_is_reached_from_outside(composed: Composed) -> None:
    page = sign_in(browser(), composed.sandbox, username="admin", password="sandbox")

    assert "Log out" in page


def test_change_is_carried_to_the_sandbox_once_the_switch_is_on(composed: Composed) -> None:
    composed.run("site", "python", "manage.py", "shell", "-c", VOUCH)
    composed.run(
        "site", "python", "manage.py", "waffle_switch", "--create", "BASKET_SWITCH_ENABLED", "on"
    )

    def people() -> dict[str, list[str]]:
        request = Request(f"{composed.sandbox}/sandbox/people/", headers={"X-Api-Key": "sandbox"})
        found = json.loads(browser().open(request).read())["people"]
        return {each["email"]: each["newsletters"] for each in found}

    wait_until(lambda: people(), timeout=60, what="a person at Basket")

    assert people() == {"ana@example.com": ["mozilla-phone"]}
    assert "ana@example.com" not in composed.services["worker"].log


def test_doctor_finds_nothing_that_keeps_changes_from_basket(composed: Composed) -> None:
    composed.run(
        "site", "python", "manage.py", "waffle_switch", "--create", "BASKET_SWITCH_ENABLED", "on"
    )

    said = composed.run("site", "sh", "-c", "python manage.py basket_doctor || test $? -eq 1")

    levels = [line.split()[0] for line in said.splitlines()]
    assert "ok" in levels
    assert "failure" not in levels


def test_worker_ends_within_its_grace_period(composed: Composed) -> None:
    worker = composed.services["worker"]
    grace = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))

    worker.terminate(timeout=grace)
    restarted = worker.start()

    assert restarted.is_running
