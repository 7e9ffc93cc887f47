"""The sandbox as a process: its start, its output, its end."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
import requests

from mozillians_basket.sandbox.testing import READY, SandboxServer
from tests.sandbox.conftest import Caller

EMAIL = "ada@example.com"
COMMAND = [sys.executable, "-m", "mozillians_basket.sandbox", "--port", "0"]


def is_alive(url: str) -> bool:
    try:
        requests.get(f"{url}/news/newsletters/", timeout=60)
    except requests.ConnectionError:
        return False
    return True


def seconds_of_work() -> float:
    """Return the CPU seconds of child processes: unlike elapsed time, nothing else adds to it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Start(Protocol):
    """Starts a command and returns it with the URL that it prints."""

    def __call__(
        self, command: list[str], **environment: str
    ) -> tuple[subprocess.Popen[str], str]: ...


@pytest.fixture
def started() -> Iterator[Start]:
    """Start commands that end with the test, also if it fails."""
    processes: list[subprocess.Popen[str]] = []

    def start(command: list[str], **environment: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        processes.append(process)
        assert process.stdout is not None
        found = READY.search(process.stdout.readline())
        assert found
        return process, found[1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_server_is_ready_soon_and_ends_cleanly(
    started: Start, number: signal.Signals, processes: str
) -> None:
    before = seconds_of_work()
    process, url = started([*COMMAND, "--processes", processes])
    assert is_alive(url)

    process.send_signal(number)

    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "", "")
    assert not is_alive(url)
    assert seconds_of_work() - before < 3


def test_server_ends_with_the_process_that_started_it(started: Start) -> None:
    code = (
        "import time\n"
        "from mozillians_basket.sandbox.testing import SandboxServer\n"
        "print('ready at', SandboxServer().start().url, 'with API key x', flush=True)\n"
        "time.sleep(60)\n"
    )
    process, url = started([sys.executable, "-c", code])

    process.kill()
    process.communicate()

    end = time.monotonic() + 60
    while is_alive(url):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_answer_to_head_has_no_body(caller: Caller) -> None:
    parts = urlsplit(caller.sandbox.url)
    request = b"HEAD /news/newsletters/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as connection:
        connection.sendall(request)
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\n\r\n")


def test_server_ends_despite_a_hanging_request() -> None:
    with SandboxServer() as sandbox:
        sandbox.fail("lookup", kind="hang", seconds=60)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{sandbox.url}/news/lookup-user/", timeout=0.2)

        before = time.monotonic()
        sandbox.stop()

    assert time.monotonic() - before < 3


def test_management_command_ignores_the_sites_settings(started: Start) -> None:
    command = [sys.executable, "-m", "django", "basket_sandbox", "--port", "0", "--api-key", "k1"]
    settings = "project.settings.test"
    process, url = started(command, DJANGO_SETTINGS_MODULE=settings)

    answer = requests.get(f"{url}/sandbox/people/", headers={"X-Api-Key": "k1"}, timeout=60)

    process.terminate()
    process.communicate(timeout=60)
    assert answer.json() == {"people": []}


def test_database_file_keeps_people(tmp_path: Path) -> None:
    database = str(tmp_path / "basket.sqlite3")
    with SandboxServer(database=database) as sandbox:
        Caller(sandbox).subscribe(EMAIL, "mozilla-phone")

    with SandboxServer(database=database) as sandbox:
        person = sandbox.person(EMAIL)

    assert person is not None
    assert person.newsletters == {"mozilla-phone"}


def test_newsletters_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "newsletters.json"
    file.write_text('{"newsletters": {"our-news": {"title": "Ours", "languages": ["en"]}}}')

    with SandboxServer(newsletters=str(file)) as sandbox:
        answer = requests.get(f"{sandbox.url}/news/newsletters/", timeout=60)

    assert list(answer.json()["newsletters"]) == ["our-news"]


def test_missing_file_of_newsletters_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No such file"):
        SandboxServer(newsletters=str(tmp_path / "missing.json")).start()


def test_port_in_use_is_reported_in_one_line(caller: Caller) -> None:
    port = str(urlsplit(caller.sandbox.url).port)
    command = [*COMMAND[:-1], port]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == 1
    assert "in use" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_nothing_secret_is_logged(started: Start) -> None:
    process, url = started([*COMMAND, "--api-key", "k1"])
    key = {"X-Api-Key": "k1"}
    data = {"email": EMAIL, "newsletters": "app-dev", "sync": "Y", "optout": "maybe"}
    token = "0A1B2C3D-0000-4000-8000-00000000ABCD"
    for path in ("/news/subscribe/", f"/news/user/{token}/", "/news/lookup-user/?token=x"):
        requests.post(url + path, data, headers=key, timeout=60)
    requests.get(f"{url}/news/user/{token.lower()}/", headers={"Host": "evil.example"}, timeout=60)

    process.terminate()
    out, errors = process.communicate(timeout=60)

    for secret in (EMAIL, token, token.lower(), "k1"):
        assert secret not in out + errors


def test_plain_http_is_refused_where_ssl_is_required(started: Start) -> None:
    header = {"BASKET_SANDBOX_PROXY_SSL_HEADER": "HTTP_X_FORWARDED_PROTO"}
    process, url = started(COMMAND, BASKET_SANDBOX_REQUIRE_SSL="1", **header)
    data = {"email": EMAIL, "newsletters": "app-dev", "sync": "Y", "api_key": "dev-key"}
    query = {"email": EMAIL, "api-key": "dev-key"}
    secure = {"X-Forwarded-Proto": "https"}

    refused = [
        requests.post(f"{url}/news/subscribe/", data, timeout=60),
        requests.post(f"{url}/news/subscribe/", {**data, "sync": "N", "optin": "Y"}, timeout=60),
        requests.get(f"{url}/news/lookup-user/", query, timeout=60),
        requests.get(f"{url}/api/v1/users/lookup/", query, timeout=60),
    ]
    plain = requests.post(f"{url}/news/subscribe/", {**data, "sync": "N"}, timeout=60)
    accepted = [
        requests.post(f"{url}/news/subscribe/", data, headers=secure, timeout=60),
        requests.get(f"{url}/news/lookup-user/", query, headers=secure, timeout=60),
    ]

    process.terminate()
    process.communicate(timeout=60)
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(401, 8)}
    assert plain.status_code == 200
    assert [answer.status_code for answer in accepted] == [200, 200]


@pytest.mark.parametrize(
    ("host", "setting", "status"),
    [
        ("0.0.0.0", {}, 401),
        ("0.0.0.0", {"BASKET_SANDBOX_REQUIRE_SSL": "0"}, 404),
        ("localhost", {}, 404),
    ],
)
def test_ssl_is_required_beyond_this_machine(
    started: Start, host: str, setting: dict[str, str], status: int
) -> None:
    _, url = started([*COMMAND, "--host", host], **setting)
    query = {"email": EMAIL, "api-key": "dev-key"}

    answer = requests.get(
        f"http://127.0.0.1:{urlsplit(url).port}/api/v1/users/lookup/", query, timeout=60
    )

    assert answer.status_code == status
