"""Runs site, sandbox Basket, worker and beat in the foreground: ``python -m project.run``."""

import logging
import os
import shlex
import signal
import socket
import sys
from pathlib import Path
from threading import Event
from types import FrameType

from honcho.manager import Manager

_HOST = "127.0.0.1"

_interrupted = Event()


class ForegroundManager(Manager):  # type: ignore[misc]
    """
    honcho's manager, which can also be ended early.

    honcho fails if it is told to end while it is still starting processes:
    at the first process that has not reported its start. All others go on.
    """

    _end_when_started = False

    def terminate(self) -> None:
        """End all processes, now or as soon as all are started."""
        if self._has_started():
            super().terminate()
        else:
            self._end_when_started = True

    def _has_started(self) -> bool:
        return bool(super()._all_started())

    def _all_started(self) -> bool:
        started = self._has_started()
        if started and self._end_when_started:
            self._end_when_started = False
            super().terminate()
        return started


def main() -> int:
    """Prepare the database, print all addresses, then run until a signal."""
    signal.signal(signal.SIGINT, _interrupt)
    site_port, sandbox_port = _port("SITE_PORT", 8000), _port("SANDBOX_PORT", 8001)
    for name, port in (("SITE_PORT", site_port), ("SANDBOX_PORT", sandbox_port)):
        if _is_taken(port):
            sys.stderr.write(
                f"Port {port} is in use. Choose another one: make run {name}={port + 100}\n"
            )
            return 1
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.dev")
    os.environ["BASKET_URL"] = f"http://{_HOST}:{sandbox_port}"
    os.environ.setdefault("BASKET_API_KEY", "sandbox")
    # Low enough to try a brake by hand with 30 members, and without waits of a minute.
    os.environ.setdefault("BASKET_BRAKE_FLOOR", "5")
    os.environ.setdefault("BASKET_RECHECK_SECONDS", "5")
    _prepare_site(sandbox_port)
    _introduce(site_port, sandbox_port)
    return _run(site_port, sandbox_port)


def _port(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return True
    return False


def _prepare_site(sandbox_port: int) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.conf import settings
    from waffle.models import Switch

    from mozillians_basket.conf import SWITCH
    from mozillians_basket.models import BulkRequest
    from project.demo import past

    call_command("migrate", verbosity=0)
    Switch.objects.get_or_create(name=SWITCH, defaults={"active": True})
    if BulkRequest.objects.exists():
        return
    sys.stdout.write("Preparing the demo data: this takes some seconds, the first time only.\n")
    sys.stdout.flush()
    logging.disable(logging.WARNING)  # one line for each of some hundred tasks
    past.happen(
        database=_sandbox_database(settings.VAR),
        api_key=os.environ["BASKET_API_KEY"],
        port=sandbox_port,
    )
    logging.disable(logging.NOTSET)


def _sandbox_database(folder: Path) -> str:
    return str(folder / "sandbox.sqlite3")


def _introduce(site_port: int, sandbox_port: int) -> None:
    from project.people.management.commands.demo_data import ADMIN, MANAGER, PASSWORD

    site, sandbox = f"http://{_HOST}:{site_port}", f"http://{_HOST}:{sandbox_port}"
    key = os.environ["BASKET_API_KEY"]
    sys.stdout.write(
        f"""
  The site             {site}/   sign in as member-01 to member-30, password {PASSWORD};
                       as {MANAGER}, password {PASSWORD}, to let people into the NDA group
  Mail of the site     {site}/mail/
  The site's admin     {site}/admin/   log in as {ADMIN}, password {ADMIN}
  The sandbox's admin  {sandbox}/admin/   log in as admin, password {key}
    people at Basket   {sandbox}/admin/basket_sandbox/person/
    mail of Basket     {sandbox}/admin/basket_sandbox/sentmessage/
    faults to set      {sandbox}/admin/basket_sandbox/fault/

  The same as JSON:    curl -H "X-Api-Key: {key}" {sandbox}/sandbox/people/
  To end:              Ctrl-C

"""
    )
    sys.stdout.flush()


def _run(site_port: int, sandbox_port: int) -> int:
    from django.conf import settings

    celery = ("-m", "celery", "-A", "project")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    processes = {
        "sandbox": (
            *("-m", "mozillians_basket.sandbox", "--port", str(sandbox_port)),
            *("--api-key", os.environ["BASKET_API_KEY"]),
            *("--database", _sandbox_database(settings.VAR)),
        ),
        "site": ("manage.py", "runserver", f"{_HOST}:{site_port}"),
        "worker": (*celery, "worker", "--pool", "threads", "--concurrency", "4", *quiet),
        # No pid file: two copies of the repository may run side by side.
        "beat": (*celery, "beat", "--pidfile", ""),
    }
    manager = ForegroundManager()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    for name, arguments in processes.items():
        command = shlex.join([sys.executable, *arguments])
        manager.add_process(name, f"exec {command}", env=environment, cwd=str(settings.BASE_DIR))
    signal.signal(signal.SIGHUP, _end)
    if _interrupted.is_set():
        raise KeyboardInterrupt
    manager.loop()
    # Ctrl-C is the normal end.
    return 0 if manager.returncode == 128 + signal.SIGINT else int(manager.returncode or 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End by an exception, and remember it: Python drops one that is raised in a finalizer."""
    _interrupted.set()
    raise KeyboardInterrupt


def _end(_number: int, _frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
