"""The servers of one run of the benchmark, and the sites on them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from benchmarks import acts
from benchmarks.processes import Beat, Pool, Worker
from benchmarks.servers import WEB, WORKER, Broker, Database
from benchmarks.sides import APP, BARE, PLAIN, Side
from mozillians_basket.sandbox.testing import SandboxServer

__all__ = ["APP", "BARE", "PLAIN", "Bench", "Options"]

#: Enough for every connection of the largest run to be served at once.
BASKET_THREADS = 100


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    quick: bool = False
    members: int = 2_000
    fsync: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


class Bench:
    """PostgreSQL, Redis and a sandbox Basket, for all rows."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.postgres = Database(fsync=options.fsync)
        self.broker = Broker()
        # Without a journal: an INSERT for each call would be more than the call.
        self.basket = SandboxServer(fast=True, processes=1, threads=BASKET_THREADS)
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="bench-")))
        self._templates: dict[tuple[Side, str], str] = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.postgres)
        self._stack.enter_context(self.broker)
        self._stack.enter_context(self.basket)
        self.postgres.prepare()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def environment(self, database: str, role: str = WEB, **more: str) -> dict[str, str]:
        """The environment of a site's processes on a database."""
        return {
            "DATABASE_URL": self.postgres.url_for(role, database),
            "BROKER_URL": self.broker.url,
            "BASKET_URL": self.basket.url,
            "BASKET_API_KEY": self.basket.api_key,
            "SECRET_KEY": "only-for-benchmarks",
            "ALLOWED_HOSTS": "testserver",
            "LOG_LEVEL": "INFO",
            # What is measured is changes. Both come on top, as often as they are told to.
            "BASKET_RECONCILE_EVERY": "86400",
            "BASKET_VERIFY_EVERY": "86400",
            **self.options.environment,
            **more,
        }

    def act(
        self,
        side: Side,
        database: str,
        name: str,
        *,
        timeout: float = 600,
        environment: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Any:
        """Do something within a site, in a process of its own."""
        given = {
            "PROJECT_VAR": str(self.folder),
            "STATIC_ROOT": str(self.folder / "static"),
            **(environment or {}),
        }
        return acts.run(side, self.environment(database, **given), name, timeout, **arguments)

    def template(self, side: Side, what: str, make: Callable[[str], None]) -> str:
        """A database of a site's that is made once, to be copied."""
        key = (side, what)
        if key not in self._templates:
            name = self.postgres.create()
            self.act(side, name, "members.migrate")
            make(name)
            self._templates[key] = name
        return self._templates[key]

    def members(self, side: Side, count: int) -> AbstractContextManager[str]:
        """A database with so many members, who are nobody yet; with the app, it knows them."""
        return self.copy(
            side,
            f"{count} members",
            lambda name: self.act(side, name, "members.make", count=count),
        )

    def large(self, count: int, *, subscribed: bool = True) -> AbstractContextManager[str]:
        """The app's database with so many members who are settled, filled by SQL."""
        return self.copy(
            APP,
            f"{count} settled members, subscribed: {subscribed}",
            lambda name: self.act(APP, name, "large.make", count=count, subscribed=subscribed),
        )

    @contextmanager
    def copy(self, side: Side, what: str, make: Callable[[str], None]) -> Iterator[str]:
        """A database of one's own, as a copy of one that is made once."""
        name = self.postgres.create(self.template(side, what, make))
        try:
            yield name
        finally:
            self.postgres.drop(name)

    @contextmanager
    def workers(
        self, side: Side, database: str, pool: Pool, **more: str
    ) -> Iterator[tuple[list[Worker], list[Beat]]]:
        """Workers that take messages, and beat where the site has one."""
        environment = self.environment(
            database,
            WORKER,
            **{"DATABASE_POOL_SIZE": str((pool.concurrency or 8) + 2), **more},
        )
        with ExitStack() as stack:
            workers = []
            for _ in range(pool.processes):
                worker = Worker(side, environment, pool)
                stack.callback(worker.stop)
                worker.launch()
                workers.append(worker)
            beats = [stack.enter_context(Beat(side, environment))] if side.has_beat else []
            for worker in workers:
                worker.wait_ready()
            yield workers, beats

    def wait(self, condition: Callable[[], object], timeout: float, what: str) -> None:
        """
        Wait until a condition holds.

        :raises TimeoutError: when it does not in time.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {timeout:g} s")
            time.sleep(0.1)
