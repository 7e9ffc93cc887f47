"""Plays the demo: ``python -m project.demo``; status 0 if Basket always held what it should."""

import os
import re
import secrets
import sys
import tempfile
import time
from pathlib import Path

from project.demo.basket import Basket
from project.demo.table import GREEN, RED, coloured, say
from project.processes import (
    GUARD,
    ROOT,
    SIGNALS,
    Interrupted,
    Process,
    ProcessFailed,
    Sandbox,
    SiteProcess,
    Web,
    Worker,
    stop_all,
)

#: Seconds that the processes have to end by themselves.
PATIENCE = 8.0

#: Settings that a developer may have set for their own site. The demo's site is another one.
_OWN_SETTINGS = re.compile(
    r"(BASKET|DATABASE|BROKER|CACHE)_|(PROJECT_VAR|ALLOWED_HOSTS|DEBUG|LOG_LEVEL|SECRET_KEY)$"
)


def main() -> int:
    """Play the story in a folder of its own, and leave nothing behind."""
    began = time.monotonic()
    SIGNALS.install()
    var = Path(os.environ.get("PROJECT_VAR") or ROOT / "var")
    var.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=var, ignore_cleanup_errors=True) as folder:
        GUARD.tell("folder", folder)
        tempfile.tempdir = folder  # for the folders of the processes
        processes: list[Process] = []
        try:
            problem = _problem(Path(folder), processes)
        except Interrupted as interruption:
            SIGNALS.ignore()
            say(f"\n{interruption}: ending all processes.")
            return interruption.exit_code
        finally:
            SIGNALS.ignore()
            stop_all(processes, patience=PATIENCE)
    took = f"{time.monotonic() - began:.0f} s"
    say()
    if problem:
        say(coloured(f"FAILED after {took}.", RED))
        say(problem)
        return 1
    say(coloured(f"PASSED in {took}: Basket holds exactly what it should.", GREEN))
    return 0


def _problem(folder: Path, processes: list[Process]) -> str:
    """Play the story; return the problem, or an empty text."""
    try:
        return _play(folder, processes)
    except ProcessFailed as failure:
        return str(failure)
    except Exception:
        # The end of a process can show as any failure of its partners. A connection may
        # break a little earlier than the process counts as ended.
        for _ in range(20):
            try:
                _check(processes)
            except ProcessFailed as failure:
                return str(failure)
            time.sleep(0.1)
        raise


def _check(processes: list[Process]) -> None:
    for process in processes:
        process.check()


def _play(folder: Path, processes: list[Process]) -> str:
    """Start all processes and play all acts; return the differences, or an empty text."""
    key = secrets.token_hex(16)  # never begins like an option
    environment = _environment(folder, key)
    os.environ.clear()
    os.environ.update(environment)
    say("Starting Basket's sandbox, the site, and a worker with beat, at free ports of loopback.")
    sandbox = Sandbox(key)
    processes.append(sandbox)
    sandbox.start()
    basket = Basket(sandbox.url, key)
    os.environ["BASKET_URL"] = basket.url
    password = _prepare_site()
    site = Web(os.environ)
    worker = Worker(
        os.environ,
        *("--beat", "--concurrency", "2", "--loglevel", "INFO", "--without-heartbeat"),
    )
    processes += [site, worker]
    for process in (site, worker):
        process.launch()
    for process in (site, worker):
        process.wait_ready()

    from django.contrib.auth.models import User

    from project.demo.admin import AdminSession
    from project.demo.stage import ActFailed, Stage
    from project.demo.story import Story, turn_switch

    admin = AdminSession(site.url)
    admin.log_in("admin", password)
    turn_switch(on=True)
    stage = Stage(basket, lambda: _check(processes))
    try:
        Story(stage, admin, User.objects.get(username="admin")).play()
        stage.wait_until(stage.settled)
    except ActFailed as failure:
        warnings = worker.warnings
        return f"{failure}\nThe worker warned:\n{warnings}" if warnings else str(failure)
    held, wanted = basket.holdings, stage.expected.holdings
    differences = stage.expected.differences(held)
    differences += [
        f"{email}: looked up with the key, Basket shows something else than it holds."
        for email in sorted(held)
        if basket.look_up(email) != held[email]
    ]
    say()
    say(
        f"In the end: {len(held)} people at Basket, {len(wanted)} expected, "
        f"{len(differences)} different."
    )
    return "\n".join([*differences, *_leaks([site, worker], key)])


def _environment(folder: Path, key: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not _OWN_SETTINGS.match(name)}
    return {
        "DJANGO_SETTINGS_MODULE": "project.settings.dev",
        **own,
        "DEBUG": "0",
        "PROJECT_VAR": str(folder),
        "BASKET_API_KEY": key,
        "BASKET_SWEEP_EVERY": "1",
        "BASKET_RECHECK_SECONDS": "2",
        "BASKET_REMOVAL_GRACE_SECONDS": "4",
        # A scheduled lookup would be a request in an act that expects none.
        "BASKET_VERIFY_EVERY": "3600",
    }


def _prepare_site() -> str:
    """Make the site's database in this process, with an admin, and return their password."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    password = secrets.token_urlsafe(16)
    User.objects.create_superuser("admin", "admin@example.com", password)
    return password


def _leaks(processes: list[SiteProcess], key: str) -> list[str]:
    """List the logs of the site and the worker that hold an address or the key."""
    return [
        f"The log of the process {process.name!r} holds an address or the key."
        for process in processes
        if "@example.com" in process.log or key in process.log
    ]


if __name__ == "__main__":
    sys.exit(main())
