"""The servers and processes of these tests are private, and end with the run that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from project.processes import ROOT, wait_until
from tests.running import processes_with
from tests.services.servers import PostgreSQL, RabbitMQ, Redis

pytestmark = pytest.mark.services

START = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell put aside
from tests.services.servers import {name}
server = {name}().start()
print(server.folder, flush=True)
time.sleep(600)
"""


def test_the_database_server_is_no_process_of_root_s(postgres: PostgreSQL) -> None:
    owner = Path(f"/proc/{postgres.pid}").stat().st_uid

    assert owner != 0
    assert os.geteuid() in (0, owner)


@pytest.mark.parametrize("server", [PostgreSQL, Redis, RabbitMQ])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_cut_off_leaves_nothing_behind(
    server: type[PostgreSQL | Redis | RabbitMQ], how: signal.Signals
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", START.format(name=server.__name__)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout is not None
    folder = run.stdout.readline().strip()
    said = processes_with(folder)

    run.send_signal(how)
    run.wait()
    run.stdout.close()

    assert said
    wait_until(lambda: not processes_with(folder), timeout=60, what="the end of the server")
    wait_until(lambda: not Path(folder).exists(), timeout=60, what="the removal of its folder")
