"""Serves the sandbox Basket as a process of its own."""

import argparse
import contextlib
import importlib
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

Application: TypeAlias = Any
"""A WSGI application; its imports wait until Django is set up."""

DEFAULT_KEY = "dev-key"
NEEDED = ("email_validator", "waitress")
"""The packages of the extra ``sandbox``, which the app itself does not need."""

THREADS = 32
FAST_PROCESSES = 2
FAST_THREADS = 2
"""More threads would only wait for each other, as long as no fault makes them wait."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server's options, which ``manage.py basket_sandbox`` shares."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=8001, help="port; 0 takes a free one")
    parser.add_argument(
        "--api-key",
        default=os.environ.get("BASKET_SANDBOX_API_KEY", DEFAULT_KEY),
        help="an API key that is accepted",
    )
    parser.add_argument(
        "--database",
        default="",
        help="an SQLite file or a database URL; without it, nothing is kept",
    )
    parser.add_argument("--newsletters", default="", help="a file of newsletters to load")
    parser.add_argument("--mail", default="", help="a folder for the messages that are sent")
    parser.add_argument(
        "--admin-password",
        default="",
        help="password of the user admin at /admin/; the API key if not given",
    )
    parser.add_argument(
        "--fast", action="store_true", help="many requests a second: no journal, two processes"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="requests served at once, in each process"
    )
    parser.add_argument("--processes", type=int, default=0, help="processes that share the work")
    parser.add_argument(
        "--end-with-input", action="store_true", help="end when standard input is closed"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m mozillians_basket.sandbox", description="Serve a sandbox Basket."
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if missing := [name for name in NEEDED if not _can_import(name)]:
        raise SystemExit(
            f"basket_sandbox: {' and '.join(missing)} cannot be imported. The sandbox Basket needs "
            "an extra of the app: python -m pip install 'mozillians-basket[sandbox]'"
        )
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    with tempfile.TemporaryDirectory(prefix="basket-sandbox-") as folder:
        os.environ["DJANGO_SETTINGS_MODULE"] = "mozillians_basket.sandbox.settings"
        os.environ["BASKET_SANDBOX_DATABASE"] = options.database or f"{folder}/basket.sqlite3"
        os.environ["BASKET_SANDBOX_ADMIN_PASSWORD"] = options.admin_password or options.api_key
        os.environ["BASKET_SANDBOX_MAIL"] = options.mail or f"{folder}/mail"
        hosts = os.environ.get("BASKET_SANDBOX_ALLOWED_HOSTS", "")
        os.environ["BASKET_SANDBOX_ALLOWED_HOSTS"] = f"{hosts},{_in_url(options.host)}"
        if not _is_local(options.host):
            os.environ.setdefault("BASKET_SANDBOX_REQUIRE_SSL", "1")
        if options.fast:
            os.environ["BASKET_SANDBOX_JOURNAL"] = "0"
        options.processes = options.processes or (FAST_PROCESSES if options.fast else 1)
        options.threads = options.threads or (FAST_THREADS if options.fast else THREADS)
        try:
            _prepare(options)
            listener = _listen(options)
        except OSError as error:
            raise SystemExit(f"basket_sandbox: {error}") from None
        _serve(listener, options)


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _prepare(options: argparse.Namespace) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from mozillians_basket.sandbox import catalogue
    from mozillians_basket.sandbox.models import ApiKey

    call_command("migrate", verbosity=0)
    catalogue.load(Path(options.newsletters) if options.newsletters else catalogue.DEFAULT_FILE)
    ApiKey.objects.update_or_create(
        key=options.api_key, defaults={"enabled": True}, create_defaults={"name": "given at start"}
    )


def _listen(options: argparse.Namespace) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port), family=family, backlog=1024)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _serve(listener: socket.socket, options: argparse.Namespace) -> None:
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    from mozillians_basket.sandbox.connections import droppable
    from mozillians_basket.sandbox.journal import counters

    counters.clear()  # made here, before the processes that share it

    application = droppable(StaticFilesHandler(get_wsgi_application()))
    place = f"http://{_in_url(options.host)}:{listener.getsockname()[1]}"
    sys.stdout.write(f"Basket sandbox ready at {place} with API key {options.api_key}\n")
    sys.stdout.flush()
    if options.end_with_input:
        threading.Thread(target=_watch, args=[sys.stdin.fileno()], daemon=True).start()
    if options.processes == 1:
        _answer(application, listener, options.threads)
    else:
        _share(application, listener, options)


def _share(application: Application, listener: socket.socket, options: argparse.Namespace) -> None:
    from django.db import connections

    connections.close_all()
    lifeline, held_by_parent = os.pipe()
    children = []
    for _ in range(options.processes):
        child = os.fork()
        if child == 0:
            # The pipe closes when the parent ends, for any reason.
            os.close(held_by_parent)
            threading.Thread(target=_watch, args=[lifeline], daemon=True).start()
            try:
                _answer(application, listener, options.threads)
            finally:
                os._exit(0)
        children.append(child)
    os.close(lifeline)
    try:
        for child in children:
            os.waitpid(child, 0)
    finally:
        os.close(held_by_parent)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _answer(application: Application, listener: socket.socket, threads: int) -> None:
    from waitress.server import create_server

    from mozillians_basket.sandbox.connections import SandboxChannel
    from mozillians_basket.sandbox.resets import resets

    server = create_server(
        application,
        sockets=[listener],
        threads=threads,
        ident=None,
        # Django's settings name the header of a proxy that is trusted.
        clear_untrusted_proxy_headers=False,
    )
    server.channel_class = SandboxChannel
    try:
        server.asyncore.loop(timeout=1, map=server._map)  # noqa: SLF001
    finally:
        resets.stop()
        server.task_dispatcher.shutdown(timeout=2)


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
