"""The environment decides the settings, and the settings decide how processes start."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from project.settings.base import database


def python(code: str, *, settings_module: str, **environment: str) -> str:
    """Run ``code`` as a process of the site would start, and return all of its output."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import django; django.setup(); {code}"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings_module, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_production_without_a_secret_key_says_what_to_do() -> None:
    said = python("", settings_module="project.settings.prod", SECRET_KEY="")

    assert "SECRET_KEY is not set. Make one with" in said


ENVIRONMENTS = {
    "dev": {"BASKET_URL": ""},
    "stage": {"SECRET_KEY": "for this test", "BASKET_URL": "https://basket.example.org"},
    "prod": {"SECRET_KEY": "for this test", "BASKET_URL": ""},
}


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("dev", "http://127.0.0.1:8001"),
        ("stage", "https://basket.example.org"),
        ("prod", "https://basket.mozilla.org"),
    ],
)
def test_each_environment_has_its_own_basket(name: str, url: str) -> None:
    said = python(
        "from mozillians_basket.conf import conf; print(conf.URL)",
        settings_module=f"project.settings.{name}",
        **ENVIRONMENTS[name],
    )

    assert said == f"{url}\n"


@pytest.mark.parametrize("url", ["", "https://basket.mozilla.org", "https://basket.mozilla.org/"])
def test_staging_refuses_the_real_basket(url: str) -> None:
    said = python(
        "",
        settings_module="project.settings.stage",
        SECRET_KEY="for this test",
        BASKET_URL=url,
    )

    assert "staging never talks to the real one" in said


@pytest.mark.parametrize(("name", "is_on"), [("dev", True), ("stage", False), ("prod", False)])
def test_switch_is_off_after_the_first_migrate_but_in_development(
    tmp_path: Path, name: str, is_on: bool
) -> None:
    code = (
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from mozillians_basket.client.transport import call_is_allowed, switch_is_on\n"
        "print(switch_is_on(), call_is_allowed())"
    )

    said = python(
        code,
        settings_module=f"project.settings.{name}",
        DATABASE_URL="",
        PROJECT_VAR=str(tmp_path),
        **ENVIRONMENTS[name],
    )

    assert said.endswith(f"{is_on} {is_on}\n")


def test_site_and_sandbox_on_one_host_keep_their_cookies_apart() -> None:
    code = (
        "from django.conf import settings; "
        "print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)"
    )

    names = [
        set(python(code, settings_module=module).split())
        for module in ("project.settings.dev", "mozillians_basket.sandbox.settings")
    ]

    assert names[0].isdisjoint(names[1])
    assert all(len(each) == 2 for each in names)


@pytest.mark.parametrize(
    ("cache_url", "waffle_cache"),
    [
        pytest.param("", "'TIMEOUT': 1", id="none that is shared"),
        pytest.param("redis://127.0.0.1:1/0", "RedisCache", id="redis"),
    ],
)
def test_waffle_s_cache_is_shared_by_all_processes_or_soon_forgets(
    cache_url: str, waffle_cache: str
) -> None:
    code = "from django.conf import settings; print(settings.CACHES[settings.WAFFLE_CACHE_NAME])"

    said = python(code, settings_module="project.settings.dev", CACHE_URL=cache_url)

    assert waffle_cache in said


def test_a_broker_out_of_reach_fails_at_once_and_is_not_tried_again() -> None:
    code = (
        "import time; from kombu.exceptions import OperationalError\n"
        "from project.celery import app\n"
        "for _ in range(2):  # the first one imports the transport\n"
        "    start = time.monotonic()\n"
        "    try: app.send_task('any')\n"
        "    except OperationalError: took = time.monotonic() - start\n"
        "print(took < 2)"
    )

    said = python(code, settings_module="project.settings.dev", BROKER_URL="amqp://127.0.0.1:1//")

    assert said == "True\n"


def test_a_process_that_sends_a_message_logs_nothing_of_it() -> None:
    code = (
        "from project.celery import app; app.send_task('any', ['fox@example.com']); print('sent')"
    )

    said = python(code, settings_module="project.settings.dev", LOG_LEVEL="DEBUG", BROKER_URL="")

    assert said.endswith("sent\n")
    assert "fox@example.com" not in said


@pytest.mark.parametrize("logger", ["celery.pool", "django.db.backends", "urllib3.connectionpool"])
def test_not_even_debug_opens_the_loggers_that_print_addresses(logger: str) -> None:
    code = f"import logging; print(logging.getLogger('{logger}').isEnabledFor(logging.DEBUG))"

    said = python(code, settings_module="project.settings.dev", LOG_LEVEL="debug")

    assert said.endswith("False\n")


def test_sqlite_lets_readers_read_while_one_writes(tmp_path: Path) -> None:
    code = (
        "from django.db import connection; cursor = connection.cursor(); "
        "print(*(cursor.execute(f'PRAGMA {name}').fetchone()[0] "
        "for name in ('journal_mode', 'busy_timeout', 'synchronous', 'foreign_keys')))"
    )

    said = python(
        code, settings_module="project.settings.dev", DATABASE_URL="", PROJECT_VAR=str(tmp_path)
    )

    assert said == "wal 20000 1 1\n"
    assert (tmp_path / "db.sqlite3").exists()


def test_a_transaction_on_sqlite_has_the_write_lock_from_its_start() -> None:
    options = database("")["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"


def test_connections_to_postgresql_are_kept_and_checked() -> None:
    config = database("postgres://site:secret@db.example.org:5433/members?sslmode=require")

    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert config["OPTIONS"] == {"sslmode": "require"}
    assert (config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == (60, True)


@pytest.mark.parametrize(
    ("broker_url", "options"),
    [
        pytest.param("redis://127.0.0.1:1/0", {"visibility_timeout": 3600}, id="redis"),
        pytest.param("amqp://127.0.0.1:1//", {"confirm_publish": True}, id="rabbitmq"),
        pytest.param("filesystem://", {"polling_interval": 0.05}, id="filesystem"),
    ],
)
def test_each_kind_of_broker_gets_its_own_options(broker_url: str, options: dict[str, Any]) -> None:
    code = "from project.celery import app; print(app.conf.broker_transport_options)"

    said = python(code, settings_module="project.settings.dev", BROKER_URL=broker_url)

    assert str(options)[1:-1] in said


def test_a_message_given_out_again_is_not_one_that_still_runs() -> None:
    code = (
        "from project.celery import app; "
        "print(app.conf.task_time_limit < app.conf.broker_transport_options['visibility_timeout'])"
    )

    said = python(code, settings_module="project.settings.dev", BROKER_URL="redis://127.0.0.1:1/0")

    assert said == "True\n"


def test_every_test_process_writes_to_its_own_folder() -> None:
    code = "from django.conf import settings; print(settings.VAR)"

    said = python(code, settings_module="project.settings.test").strip()

    assert said != str(settings.VAR)
    assert Path(said) != Path(settings.BASE_DIR, "var")
    assert not Path(said).exists()


def test_production_takes_keys_and_their_predecessors_from_the_environment() -> None:
    code = (
        "from mozillians_basket.conf import conf\n"
        "print(conf.SUPPRESSION_KEY, *conf.SUPPRESSION_KEY_FALLBACKS)"
    )

    said = python(
        code,
        settings_module="project.settings.prod",
        SECRET_KEY="new",
        SECRET_KEY_FALLBACKS="old,older",
        BASKET_SUPPRESSION_KEY="own",
        BASKET_SUPPRESSION_KEY_FALLBACKS="own-before",
    )

    assert said == "own own-before new old older\n"
