"""``make run`` as a program: site, sandbox, worker and beat, until Ctrl-C."""

import signal
import socket
import time
from pathlib import Path

import pytest
import requests

from mozillians_basket.sandbox.steering import Steering
from tests.demo.programs import needs_proc, program

pytestmark = [needs_proc, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def newsletters_at(sandbox: int, email: str) -> set[str]:
    basket = Steering(f"http://127.0.0.1:{sandbox}", "sandbox")
    try:
        people = basket.ask("GET", "people", query={"email": email})["people"]
    except OSError:
        return set()  # it is not there yet
    finally:
        basket.close()
    return set(people[0]["newsletters"]) if people else set()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_site_runs_with_demo_data_until_ctrl_c(tmp_path: Path) -> None:
    site, sandbox = free_port(), free_port()
    ports = {"SITE_PORT": str(site), "SANDBOX_PORT": str(sandbox), "BASKET_API_KEY": "sandbox"}

    with program("project.run", tmp_path, **ports) as run:
        run.read_until("To end")
        end = time.monotonic() + 40
        while not newsletters_at(sandbox, "member-01@example.com") and time.monotonic() < end:
            time.sleep(0.2)
        held = newsletters_at(sandbox, "member-01@example.com")
        while not listens(site) and time.monotonic() < end:
            time.sleep(0.2)
        page = requests.get(f"http://127.0.0.1:{site}/admin/login/", timeout=20)
        ran = run.running
        run.interrupt(signal.SIGINT)
        status = run.end()
        left = run.running

    assert held == {"mozilla-phone", "mozillians-nda"}, run.said
    assert page.status_code == 200
    assert f"http://127.0.0.1:{site}/admin/   log in as admin, password admin" in run.said
    assert len(ran) > 4
    assert status == 0, run.said
    assert left == []


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    ports = {"SITE_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}

    with program("project.run", tmp_path, **ports) as run:
        run.read_until("To end")
        time.sleep(0.02)
        run.interrupt(signal.SIGINT)
        status = run.end()
        left = run.running

    assert status in {0, 130}, run.said
    assert left == []


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with program("project.run", tmp_path, SITE_PORT=str(port)) as run:
            status = run.end()

    assert status == 1
    assert f"Port {port} is in use." in run.said
    assert f"make run SITE_PORT={port + 100}" in run.said
