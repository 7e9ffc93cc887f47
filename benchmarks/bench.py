"""The compared sites, their databases and their processes, on the servers of one run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from benchmarks.servers import WEB, WORKER, Broker, Database, Stub
from project import processes
from project.processes import GUARD, ROOT

#: The last commit of the core that synced one contact at a time, in threads.
EARLIER = "25b10c6"


@dataclass(frozen=True)
class Side:
    """One of the compared sites: its settings, its Celery app, and the place of its code."""

    title: str
    settings: str
    celery: str
    calls_at_once: int = 1
    """The number of calls to Basket that one process or thread makes at once."""

    root: Path = ROOT
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


APP = Side("this app", "project.settings.prod", "project", calls_at_once=20)
NAIVE = Side("naive baseline", "benchmarks.naive.settings", "benchmarks.naive")
BARE = replace(NAIVE, title="without newsletters", environment={"WITHOUT_NEWSLETTERS": "1"})


@dataclass(frozen=True)
class Pool:
    """A worker's pool, and the number of workers; an empty ``kind`` is Celery's default."""

    kind: str = ""
    concurrency: int = os.cpu_count() or 1
    processes: int = 1

    def __str__(self) -> str:
        name = f"{self.kind or 'the default pool, prefork'} × {self.concurrency}"
        return name if self.processes == 1 else f"{self.processes} × ({name})"


class NotMeasured(Exception):
    """A figure could not be measured; the text says why."""


class SideProcess(processes.SiteProcess):
    """A process of one of the sites."""

    def __init__(self, side: Side, environment: Mapping[str, str], *arguments: str) -> None:
        super().__init__(environment, *arguments)
        self._side = side

    def celery(self, *arguments: str) -> list[str]:
        """Return a command of the site's Celery app."""
        start = [self._side.python, "-P", "-m", "celery", "--workdir", str(self._side.root)]
        return [*start, "-A", self._side.celery, *arguments]


class Worker(SideProcess, processes.Worker):
    """A worker."""


class Beat(SideProcess, processes.Beat):
    """Beat, which sends the sweeper's messages."""


@dataclass
class Bench:
    """PostgreSQL, Redis and a stub Basket for all rows, and the command line's choices."""

    quick: bool = False
    members: int = 2_000
    environment: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._stack, self._templates = ExitStack(), dict[str, str]()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="bench-")))
        GUARD.tell("folder", self.folder)
        self.postgres = self._stack.enter_context(Database())
        self.broker = self._stack.enter_context(Broker())
        self.basket = self._stack.enter_context(Stub())
        self.postgres.prepare()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @cached_property
    def earlier(self) -> Side:
        """
        The earlier core, in a git worktree and an environment of its own.

        :raises NotMeasured: when they cannot be created.
        """
        root, git = self.folder / "earlier", ["git", "-C", str(ROOT), "worktree"]
        uv, python = [sys.executable, "-m", "uv"], str(root / ".venv" / "bin" / "python")
        wanted = ["--require-hashes", "-r", str(root / "requirements" / "prod.txt")]
        self._stack.callback(subprocess.run, [*git, "remove", "--force", str(root)], check=False)
        for command in (
            [*git, "add", "--quiet", "--detach", str(root), EARLIER],
            [*uv, "venv", "--quiet", "--python", sys.executable, str(root / ".venv")],
            [*uv, "pip", "install", "--quiet", "--python", python, *wanted],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                said = " ".join(done.stderr.split())[-300:]
                raise NotMeasured(f"the earlier core ({EARLIER}) cannot be made: {said}")
        return replace(APP, title="earlier core", root=root, python=python, calls_at_once=1)

    def variables(self, side: Side, database: str, role: str = WEB, **more: str) -> dict[str, str]:
        """Return the environment of a site's processes on a database."""
        return {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": side.settings,
            "PYTHONPATH": str(side.root),
            "DATABASE_URL": self.postgres.url_for(role, database),
            "BROKER_URL": self.broker.url,
            "BASKET_URL": self.basket.url,
            "BASKET_API_KEY": self.basket.api_key,
            "SECRET_KEY": "only-for-benchmarks",
            "ALLOWED_HOSTS": "testserver",
            # Both would be measured with the changes at their intervals.
            "BASKET_RECONCILE_EVERY": "86400",
            "BASKET_VERIFY_EVERY": "86400",
            **side.environment,
            **self.environment,
            **more,
        }

    def act(
        self, side: Side, database: str, name: str, *, timeout: float = 900, broker: str = "",
        **arguments: Any,
    ) -> Any:  # fmt: skip
        """
        Do one of ``benchmarks.acts`` in a process of a site; arguments and result are JSON.

        :raises NotMeasured: when it fails, with the end of its output.
        """
        script, var = str(Path(__file__).with_name("acts.py")), str(self.folder)
        given = self.variables(side, database, PROJECT_VAR=var, STATIC_ROOT=f"{var}/static")
        done = subprocess.run(
            [side.python, "-P", script, name, json.dumps(arguments)], cwd=side.root, text=True,
            env=given | ({"BROKER_URL": broker} if broker else {}), capture_output=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotMeasured(f"{name} of {side.title}: {(done.stdout + done.stderr)[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def database(self, side: Side, fill: str, **arguments: Any) -> Iterator[str]:
        """
        Create a database of a site, as a copy of one that is filled once.

        :param fill: the act that fills it, with these arguments.
        """
        key = f"{side.title}: {fill} {arguments}"
        if key not in self._templates:
            name = self.postgres.create()
            self.act(side, name, "migrate")
            self.act(side, name, fill, **arguments)
            self._templates[key] = name
        name = self.postgres.create(self._templates[key])
        try:
            yield name
        finally:
            self.postgres.drop(name)

    @contextmanager
    def workers(
        self, side: Side, database: str, pool: Pool, *, beat: bool = True
    ) -> Iterator[list[Worker]]:
        """Run workers that take messages, and beat if the site has one."""
        size = str(pool.concurrency + 2)  # the earlier core keeps connections for its threads
        environment = self.variables(side, database, WORKER, DATABASE_POOL_SIZE=size)
        chosen = ["--pool", pool.kind, "--concurrency", str(pool.concurrency)]
        with ExitStack() as stack:
            if beat and side is not NAIVE:
                stack.enter_context(Beat(side, environment))
            yield [
                stack.enter_context(
                    Worker(side, environment, "--loglevel", "INFO", *(chosen if pool.kind else []))
                )
                for _ in range(pool.processes)
            ]

    def fresh(self, latency: float) -> None:
        """Empty the broker and Basket, and set the seconds that Basket takes for a call."""
        self.broker.clear()
        self.basket.ask("reset", latency=latency)

    def assert_carried(self, side: Side, database: str, members: int) -> None:
        """
        Compare Basket's contents with the expected ones, and ask the site whether it is done.

        :raises NotMeasured: when newsletters are missing or extra, or work is open or stuck.
        """
        held = self.basket.ask("people")
        expected = {f"member{n}@example.com": ["mozilla-phone"] for n in range(1, members + 1)}
        wrong = [email for email in held | expected if held.get(email) != expected.get(email)]
        if wrong:
            raise NotMeasured(f"{len(wrong)} of {members} members: Basket holds something else")
        if left := self.act(side, database, "unsettled"):
            raise NotMeasured(f"{side.title} is not done: {left[:3]}")


def wait(condition: Callable[[], object], timeout: float, what: str) -> None:
    """
    Wait until a condition holds.

    :raises NotMeasured: when it takes longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise NotMeasured(f"{what}: not within {timeout:g} s")
        time.sleep(0.25)
