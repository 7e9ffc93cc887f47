"""Servers, the site's processes on them, and a Basket, new or emptied for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from django.conf import settings as site_settings
from django.db import connection
from kombu import pools
from waffle.models import Switch

from mozillians_basket import dispatch
from mozillians_basket.conf import SWITCH
from mozillians_basket.sandbox.testing import SandboxServer
from project.celery import app
from project.processes import Beat, Worker
from project.settings.brokers import transport_options
from tests.services.plugin import OwnServer
from tests.services.reports import PROCESSES, pytest_runtest_makereport
from tests.services.servers import SHORT_WAITS, Broker, PostgreSQL, RabbitMQ, Redis

__all__ = ["pytest_runtest_makereport"]

StartBeat = Callable[[], Beat]

#: One process runs all of these, so it begins with them.
ON_RABBITMQ = pytest.param("rabbitmq", marks=pytest.mark.slow)


class StartWorker(Protocol):
    """Start a worker, with these arguments in addition to the usual ones."""

    def __call__(self, *arguments: str, wait: bool = True) -> Worker: ...


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[PostgreSQL]:
    """The PostgreSQL server with the tests' database."""
    plugins = pytestconfig.pluginmanager.get_plugins()
    own = next((plugin for plugin in plugins if isinstance(plugin, OwnServer)), None)
    if own is None:
        pytest.fail("These tests need servers: run them by `make test-services`.")
    with own.postgres as server:
        yield server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    postgres: PostgreSQL, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Start the server before pytest-django creates the tests' database."""


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis server."""
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ server."""
    with RabbitMQ() as server:
        yield server


@pytest.fixture(params=["redis", ON_RABBITMQ])
def broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Each kind of broker in turn, running and empty; this process's Celery app sends to it."""
    server: Broker = request.getfixturevalue(request.param)
    if not server.is_running:
        server.start()
    server.clear()
    before = app.conf.broker_url, app.conf.broker_transport_options
    options = transport_options(
        server.url, folder=site_settings.VAR / "broker", timeout=site_settings.BROKER_TIMEOUT
    )
    app.conf.update(broker_url=server.url, broker_transport_options=options)
    forget_connections()
    monkeypatch.setattr(dispatch, "_sender", dispatch._Sender())
    monkeypatch.delattr("django.core.mail.outbox")  # it keeps a site's tests from a real broker
    yield server
    dispatch.flush(10)
    if server.is_running:
        server.resume()
    forget_connections()
    app.conf.update(broker_url=before[0], broker_transport_options=before[1])


def forget_connections() -> None:
    """Make the app's next message open a new connection."""
    pools.reset()
    app._after_fork()  # type: ignore[attr-defined]


@pytest.fixture
def switch_on(transactional_db: None) -> None:
    """Turn the switch on, for all processes."""
    Switch.objects.create(name=SWITCH, active=True)


@pytest.fixture
def basket(basket_sandbox: SandboxServer, settings: Any, switch_on: None) -> SandboxServer:
    """An empty Basket, with the switch on."""
    settings.BASKET_URL = basket_sandbox.url
    settings.BASKET_API_KEY = basket_sandbox.api_key
    return basket_sandbox


@pytest.fixture
def site(postgres: PostgreSQL, broker: Broker, basket: SandboxServer) -> dict[str, str]:
    """The environment of the site's processes: these servers, and short waits."""
    return {
        "DATABASE_URL": postgres.database_url(connection.settings_dict["NAME"]),
        "BROKER_URL": broker.url,
        "BASKET_URL": basket.url,
        "BASKET_API_KEY": basket.api_key,
        **SHORT_WAITS,
        "BASKET_REMOVAL_GRACE_SECONDS": "3",
    }


@pytest.fixture
def patient(site: dict[str, str]) -> None:
    """Let calls and steps take their time: on a busy machine they would be made again."""
    site |= {"BASKET_TIMEOUT": "20", "BASKET_LEASE_SECONDS": "60"}


@pytest.fixture
def start_worker(site: dict[str, str]) -> Iterator[StartWorker]:
    """Start a worker, and wait until it is ready unless told otherwise."""
    with ExitStack() as stack:

        def start(*arguments: str, wait: bool = True) -> Worker:
            started = Worker(site, *arguments)
            stack.callback(started.stop)
            PROCESSES.append(started)
            started.launch()
            if wait:
                started.wait_ready()
            return started

        yield start


@pytest.fixture
def worker(start_worker: StartWorker) -> Worker:
    """A worker that takes messages."""
    return start_worker()


@pytest.fixture
def start_beat(site: dict[str, str]) -> Iterator[StartBeat]:
    """Start beat, which sends the sweeper's messages."""
    with ExitStack() as stack:

        def start() -> Beat:
            started = stack.enter_context(Beat(site))
            PROCESSES.append(started)
            return started

        yield start


@pytest.fixture
def beat(start_beat: StartBeat) -> Beat:
    """Beat, for the sweeper."""
    return start_beat()
