"""
Follows one vouch through the app: ``python -m benchmarks.walk``.

A member of the site becomes vouched. The walk lists the app's functions that run for this, from
``save()`` to the last write to the app's tables, in the order in which they are first entered.
Database and tasks are in this process: SQLite, and tasks that run where they are sent. With
``--worker`` a Celery worker takes them from the broker, in a thread of this process. Basket is the
sandbox, in another process.

The walk is that of a second vouch: the first one fills caches, which is not done for each vouch.

- **Function**: a function or method of ``mozillians_basket``. Lambdas and comprehensions belong to
  the function around them. The sandbox, models, settings, migrations and properties are left out.
- **Jump**: a function of the walk is in another file than the function before it.
- **Return**: a jump to a file that the walk had left before.
"""

import argparse
import inspect
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import mozillians_basket
from benchmarks.results import Findings, as_text
from mozillians_basket.sandbox.testing import SandboxServer

APP = Path(mozillians_basket.__file__).parent

#: Parts of the app that do not count in a walk.
LEFT_OUT = frozenset({"sandbox", "models", "conf", "migrations"})

WRITE = re.compile(r"\b(?:INSERT|UPDATE|DELETE)\b")

#: A walk ends when no function was new for this many seconds.
QUIET = 1.0

#: Seconds that a walk may take.
PATIENCE = 60.0


@dataclass(frozen=True)
class Step:
    """A function, and its file below the app's folder."""

    file: str
    function: str


@dataclass(frozen=True)
class Counts:
    """The figures of a walk."""

    functions: int
    files: int
    jumps: int
    returns: int


def count(steps: Sequence[Step]) -> Counts:
    """Count the functions, files, jumps and returns of a walk."""
    files = len({step.file for step in steps})
    jumps = sum(before.file != after.file for before, after in pairwise(steps))
    # Each file but the first is reached once by a jump that is no return.
    returns = jumps - max(files - 1, 0)
    return Counts(len(set(steps)), files, jumps, returns)


def step_of(code: CodeType, names: dict[str, Any]) -> Step | None:
    """
    Return the step for the code of a function, or ``None`` if walks leave it out.

    :param names: the global names of the code's module.
    """
    file = Path(code.co_filename).relative_to(APP)
    is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
    if not is_function or file.parts[0].removesuffix(".py") in LEFT_OUT:
        return None
    first, *others = code.co_qualname.split(".")
    found = names.get(first)
    for name in others:
        found = inspect.getattr_static(found, name, None)
    if isinstance(found, (property, cached_property)):
        return None
    return Step(file.as_posix(), code.co_qualname)


class Recorder:
    """Records the app's functions that are entered, in this thread and in threads started by it."""

    def __init__(self) -> None:
        self._entered: dict[CodeType, Step | None] = {}
        self._until_last_write = 0
        self._last_change = time.monotonic()

    def clear(self) -> None:
        """Clear the record."""
        self._entered.clear()
        self._until_last_write = 0

    @property
    def steps(self) -> list[Step]:
        """The walk until the last write."""
        entered = list(self._entered.values())[: self._until_last_write]
        return [step for step in entered if step]

    @property
    def quiet_for(self) -> float:
        """The seconds since the last new function or write."""
        return time.monotonic() - self._last_change

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record this thread, and all threads that are started in the block."""
        # sys.monitoring would see all threads at once, but needs Python 3.12.
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code not in self._entered:
            if not code.co_filename.startswith(f"{APP}{os.sep}"):
                return
            self._entered[code] = step_of(code, frame.f_globals)
            self._last_change = time.monotonic()

    def watch(self, tables: frozenset[str]) -> Callable[..., Any]:
        """Return a wrapper for database connections that notes writes to these tables."""

        def execute_and_note(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
            result = execute(sql, *more)
            if WRITE.search(sql) and any(f'"{table}"' in sql for table in tables):
                self._until_last_write = len(self._entered)
                self._last_change = time.monotonic()
            return result

        return execute_and_note


@contextmanager
def site(basket: SandboxServer) -> Iterator[None]:
    """Set the site up with a database of its own and the switch on."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "PROJECT_VAR": folder,
            "DATABASE_URL": "",
            "BROKER_URL": "",
            "CACHE_URL": "",
            "BASKET_URL": basket.url,
            "BASKET_API_KEY": basket.api_key,
            "LOG_LEVEL": "WARNING",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from waffle.models import Switch

        call_command("migrate", verbosity=0)
        Switch.objects.create(name="BASKET_SWITCH_ENABLED", active=True)
        yield


@contextmanager
def tasks(*, worker: bool) -> Iterator[None]:
    """Run tasks in the thread that sends them, or in a worker in a thread."""
    from celery.contrib.testing.worker import start_worker

    from project.celery import app

    if worker:
        with start_worker(app, perform_ping_check=False, loglevel="WARNING"):
            yield
    else:
        app.conf.update(task_always_eager=True, task_eager_propagates=True)
        yield


def vouch(username: str, recorder: Recorder, basket: SandboxServer) -> list[Step]:
    """
    Return the walk of a vouch for a new member.

    :raises RuntimeError: when Basket does not get the member's newsletters.
    """
    from django.contrib.auth.models import User

    from project.people.models import UserProfile, Vouch

    email = f"{username}@example.com"
    user = User.objects.create(username=username, email=email)
    new_vouch = Vouch(vouchee=UserProfile.objects.create(user=user))
    settle(recorder)
    recorder.clear()
    new_vouch.save()
    settle(recorder)
    person = basket.person(email)
    if not (person and person.newsletters):
        raise RuntimeError("the vouched member is not subscribed to any newsletter")
    return recorder.steps


def settle(recorder: Recorder) -> None:
    """Wait until no new function or write appears."""
    deadline = time.monotonic() + PATIENCE
    while recorder.quiet_for < QUIET:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the walk was not over after {PATIENCE:.0f} seconds")
        time.sleep(0.05)


def walk(*, worker: bool) -> list[Step]:
    """Return the walk of one vouch."""
    recorder = Recorder()
    with ExitStack() as stack:
        basket = stack.enter_context(SandboxServer())
        # Before the site is set up, as the set-up may start threads which later carry messages.
        stack.enter_context(recorder.recording())
        stack.enter_context(site(basket))
        from django.apps import apps
        from django.db import connections
        from django.db.backends.signals import connection_created

        models = apps.get_app_config("mozillians_basket").get_models()
        watch = recorder.watch(frozenset(model._meta.db_table for model in models))

        def watch_writes(*, connection: Any, **kwargs: object) -> None:
            stack.enter_context(connection.execute_wrapper(watch))

        # Each thread has a connection of its own.
        connections.close_all()
        connection_created.connect(watch_writes)
        stack.enter_context(tasks(worker=worker))
        vouch("first", recorder, basket)
        return vouch("second", recorder, basket)


def findings(steps: Sequence[Step]) -> Findings:
    """Put the figures beside those of the issue."""
    counts = count(steps)
    found = Findings("One vouch, from save() to the last write of the ledger")
    table = found.table("figures", " | now | earlier | goal")
    table.add("functions", counts.functions, 105, 40)
    table.add("files", counts.files, 26, 12)
    table.add("jumps from file to file", counts.jumps, 67, None)
    table.add("returns to a file", counts.returns, None, None)
    return found


def main() -> None:
    """Print the walk and its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.walk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--worker", action="store_true", help="have a Celery worker run the tasks")
    steps = walk(worker=parser.parse_args().worker)
    left = set()
    for file, group in groupby(steps, key=lambda step: step.file):
        print(f"{file} (again)" if file in left else file)
        left.add(file)
        for step in group:
            print(f"    {step.function}")
    print(f"\n{as_text(asdict(findings(steps)))}")


if __name__ == "__main__":
    main()
