"""``make run`` as a program: site, sandbox, worker and beat, until Ctrl-C."""

import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from mozillians_basket.sandbox.control_client import ControlClient
from project.processes import free_port, wait_until
from tests.demo.programs import program
from tests.running import needs_proc

pytestmark = [needs_proc, pytest.mark.services]

#: Seconds until a process must answer, also on a machine that is busy with other things.
PATIENCE = 120.0


def people_at(sandbox: int) -> dict[str, Any]:
    """Return all people at the sandbox Basket by address; none while it has not started."""
    basket = ControlClient(f"http://127.0.0.1:{sandbox}", "sandbox")
    try:
        people = basket.ask("GET", "people")["people"]
    except OSError:
        return {}
    finally:
        basket.close()
    return {person["email"]: person for person in people}


def rows(folder: Path, query: str) -> set[Any]:
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
        return set(database.execute(query))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_site_runs_with_demo_data_until_ctrl_c(tmp_path: Path) -> None:
    site, sandbox = free_port(), free_port()
    ports = {"SITE_PORT": str(site), "SANDBOX_PORT": str(sandbox), "BASKET_API_KEY": "sandbox"}

    with program("project.run", tmp_path, **ports) as run:
        run.read_until("To end")
        wait_until(lambda: people_at(sandbox), timeout=PATIENCE, what="people at Basket")
        people = people_at(sandbox)
        messages = requests.get(
            f"http://127.0.0.1:{sandbox}/sandbox/messages/",
            headers={"X-Api-Key": "sandbox"},
            timeout=PATIENCE,
        ).json()["messages"]
        wait_until(lambda: listens(site), timeout=PATIENCE, what="the site")
        page = requests.get(f"http://127.0.0.1:{site}/admin/login/", timeout=PATIENCE)
        run.read_until("tasks.sweep[")
        ran = run.running
        run.interrupt(signal.SIGINT)
        status = run.end()
        left = run.running

    held = {email: set(person["newsletters"]) for email, person in people.items()}
    assert held["member-01@example.com"] == {"mozilla-phone", "mozillians-nda"}, run.said
    assert held["shared@example.com"] == {"mozilla-phone"}
    assert [held[f"member-{number:02}@example.com"] for number in (8, 9, 10)] == [set()] * 3
    assert people["member-09@example.com"]["optout"]
    assert not people["member-18@example.com"]["optin"]
    [message] = messages
    assert (message["kind"], message["email"]) == ("confirm", "member-18@example.com")
    assert f"http://127.0.0.1:{sandbox}/newsletter/confirm/" in message["body"]
    assert not {"member-11@blocked.example.com", "member-12@example.com"} & held.keys()
    assert page.status_code == 200
    assert rows(tmp_path, "SELECT total, state FROM mozillians_basket_bulkrequest") == {
        (3, "finished"),
        (5, "finished"),
    }
    failed = "SELECT state, reason FROM mozillians_basket_bulkitem WHERE state <> 'done'"
    assert rows(tmp_path, failed) == {("failed", "blocked domain"), ("skipped", "opted out")}
    problems = "SELECT problem FROM mozillians_basket_contact WHERE problem <> ''"
    assert rows(tmp_path, problems) == {("blocked domain",), ("unavailable",)}
    for said in (
        f"http://127.0.0.1:{site}/   sign in as member-01 to member-30, password member",
        f"http://127.0.0.1:{site}/admin/   log in as admin, password admin",
        f"http://127.0.0.1:{sandbox}/admin/   log in as admin, password sandbox",
        f"http://127.0.0.1:{sandbox}/admin/basket_sandbox/fault/",
    ):
        assert said in run.said
    assert "Settings differ" not in run.said
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


def test_second_start_adds_nothing_and_leaves_the_switch_as_it_is(tmp_path: Path) -> None:
    ports = {"SITE_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    switch = "SELECT active FROM waffle_switch"

    for active in (1, 0):
        with program("project.run", tmp_path, **ports) as run:
            run.read_until("To end")
            run.interrupt(signal.SIGINT)
            run.end()
        assert rows(tmp_path, switch) == {(active,)}
        with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
            database.execute("UPDATE waffle_switch SET active = 0")
            database.commit()

    assert rows(tmp_path, "SELECT count(*) FROM people_userprofile") == {(32,)}
    assert "Preparing" not in run.said
