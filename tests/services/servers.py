"""Private PostgreSQL, Redis and RabbitMQ servers on loopback, with data in a temporary folder."""

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import amqp

from project.processes import Process, free_port

#: Settings of the site with which no wait is longer than a test's.
SHORT_WAITS = {
    "BASKET_TIMEOUT": "2",
    "BASKET_LEASE_SECONDS": "5",
    "BASKET_RECHECK_SECONDS": "1",
    "BASKET_SWEEP_EVERY": "0.5",
    "BASKET_WAIT_FACTOR": "0.05",
}


class MissingProgram(Exception):
    """A program is not installed."""


def version(path: Path) -> list[int]:
    """Return the numbers in a path, to compare versions."""
    return [int(number) for number in re.findall(r"\d+", str(path))]


def program(name: str, *folders: str) -> str:
    """
    Find a program: in one of these folders, the highest version first, or in PATH.

    :raises MissingProgram: when it is in none.
    """
    found = [path for pattern in folders for path in Path("/").glob(f"{pattern[1:]}/{name}")]
    if found:
        return str(max(found, key=version))
    in_path = shutil.which(name)
    if in_path is None:
        raise MissingProgram(name)
    return in_path


class PostgreSQL(Process):
    """A PostgreSQL server. Root starts it as the user ``postgres``, as the server refuses root."""

    polite = signal.SIGINT  # ends the sessions; SIGTERM waits for them
    last_word = signal.SIGQUIT  # its sessions are not in its group; this signal reaches them

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._password = secrets.token_hex(16)

    @staticmethod
    def program(name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return program(name, "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")

    @property
    def url(self) -> str:
        """The value for DATABASE_URL; tests run in its database ``test_site``."""
        return self.database_url("site")

    def database_url(self, name: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgres://postgres:{self._password}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser in one of the databases; return its rows."""
        import psycopg  # not there in a developer's environment until a command needs servers

        with psycopg.connect(self.database_url(name), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def command(self) -> list[str]:
        """Return the command of the server, on loopback only."""
        return [
            *(self.program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *("-c", "fsync=off", "-c", "max_connections=200"),
        ]

    def account(self) -> dict[str, Any]:
        """Return ``postgres`` instead of root, with only that user's rights."""
        if os.geteuid() != 0:
            return {}
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def launch(self) -> None:
        """Start the server and do not wait; create its data folder first if there is none."""
        if not (self.folder / "data").exists():
            self._create()
        super().launch()

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        asked = [self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def _create(self) -> None:
        password = self.folder / "password"
        password.write_text(self._password)
        password.chmod(0o600)
        account = self.account()
        if account:
            for path in (self.folder, password):
                os.chown(path, account["user"], account["group"])
        made = subprocess.run(
            [
                *(self.program("initdb"), "-D", str(self.folder / "data"), "-U", "postgres"),
                *("-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"),
                *("-E", "UTF8", "--locale=C.UTF-8"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **account,
        )
        password.unlink()
        if made.returncode:
            raise RuntimeError(made.stderr)


class Redis(Process):
    """A Redis server that keeps nothing over a restart."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """The value for BROKER_URL."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command; the settings are in a file, as other users may read arguments."""
        settings = self.folder / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f"port {self.port}\nbind 127.0.0.1\nrequirepass {self._password}\n"
            f'dir {self.folder}\nsave ""\nappendonly no\n'
        )
        return [program("redis-server"), str(settings)]

    def is_ready(self) -> bool:
        """Whether it answers."""
        return self._ask("ping") == "PONG"

    def clear(self) -> None:
        """Delete all messages and queues."""
        self._ask("flushall")

    def _ask(self, *words: str) -> str:
        return subprocess.run(
            [program("redis-cli"), "-p", str(self.port), *words],
            env={**os.environ, "REDISCLI_AUTH": self._password},
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()


class PortMapper(Process):
    """Erlang's port mapper, in the foreground: a mapper that a node starts outlives the node."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def command(self) -> list[str]:
        """Return the command of the mapper, without its option to run in the background."""
        return [program("epmd"), "-port", str(self.port), "-address", "127.0.0.1"]

    def is_ready(self) -> bool:
        """Whether it answers."""
        asked = [program("epmd"), "-port", str(self.port), "-names"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0


class RabbitMQ(Process):
    """A RabbitMQ server; durable messages survive its restarts."""

    start_timeout = 120.0

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._distribution_port = free_port()
        self._mapper = PortMapper()

    @property
    def url(self) -> str:
        """The value for BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        """Return the command of the server itself: the script in PATH would change the user."""
        return [program("rabbitmq-server", "/usr/lib/rabbitmq/bin")]

    def environment(self) -> Mapping[str, str]:
        """Return the environment of a node that shares nothing with the system's own one."""
        empty = self.folder / "enabled_plugins"
        empty.write_text("[].\n")
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._mapper.port),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(empty),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }

    def launch(self) -> None:
        """Start the port mapper and the server, and do not wait."""
        if not self._mapper.is_running:
            self._mapper.start()
        super().launch()

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        with suppress(OSError, amqp.AMQPError), self._connection():
            return True
        return False

    def clear(self) -> None:
        """Delete Celery's queue with all of its messages."""
        with self._connection() as connection:
            connection.channel().queue_delete("celery")

    def stop(self) -> None:
        """End the server and its port mapper for good, and delete their folders."""
        super().stop()
        self._mapper.stop()

    def _connection(self) -> amqp.Connection:
        return amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2)


Broker = Redis | RabbitMQ
