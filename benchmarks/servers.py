"""The servers of a run: PostgreSQL, Redis and the stub Basket, with their counts and usage."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from project.processes import Process, free_port
from tests.services.servers import PostgreSQL, Redis

TICK = os.sysconf("SC_CLK_TCK")

#: The database roles, to count the statements of each.
WEB, WORKER = "web", "worker"

#: Statements with counts of their own: foreign keys that the server checks by itself, readings
#: of the switch, and BEGIN and similar ones with the set-up of connections.
KINDS = {
    "server": r"SELECT \$\d+ FROM ONLY .* FOR KEY SHARE",
    "switch": r'SELECT .* FROM "waffle_',
    "brackets": r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SELECT set_config|SET |SELECT \$1$",
}


class Database(PostgreSQL):
    """A PostgreSQL server that counts statements by the role that sends them."""

    made = 0

    def command(self) -> list[str]:
        """Return the command of the server, with ``pg_stat_statements``."""
        options = {
            "shared_preload_libraries": "pg_stat_statements", "max_connections": "400",
            "pg_stat_statements.max": "10000", "shared_buffers": "512MB", "max_wal_size": "8GB",
        }  # fmt: skip
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [*super().command(), *given]

    def prepare(self) -> None:
        """Create the counter and the roles."""
        self.execute("CREATE EXTENSION pg_stat_statements")
        for role in (WEB, WORKER):
            self.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{self._password}'")

    def url_for(self, role: str, name: str) -> str:
        """Return the URL of a database for a role."""
        return self.database_url(name).replace("//postgres:", f"//{role}:")

    def create(self, template: str = "template1") -> str:
        """Create a database as a copy of another one; return its name."""
        self.made += 1
        self.execute(f"CREATE DATABASE site_{self.made} TEMPLATE {template}")
        return f"site_{self.made}"

    def drop(self, name: str) -> None:
        """Remove a database that may still be in use."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def clear_counts(self) -> None:
        """Start counting statements from zero."""
        self.execute("SELECT pg_stat_statements_reset()")

    def statements(self, role: str) -> Counter[str]:
        """Count the statements of a role by kind, and all others as ``queries``."""
        counts = Counter[str]()
        for calls, text in self.most_frequent(role):
            found = (kind for kind, pattern in KINDS.items() if re.match(pattern, text))
            counts[next(found, "queries")] += calls
        return counts

    def most_frequent(self, role: str) -> list[tuple[int, str]]:
        """Return the statements of a role, the most frequent first."""
        rows = self.execute(
            "SELECT s.calls, s.query FROM pg_stat_statements s JOIN pg_roles r "
            f"ON r.oid = s.userid WHERE r.rolname = '{role}' ORDER BY s.calls DESC"
        )
        return [(int(calls), " ".join(text.split())) for calls, text in rows]


class Broker(Redis):
    """A Redis server that counts the messages it received."""

    def ask(self) -> Any:
        """Return a client."""
        import redis

        return redis.Redis.from_url(self.url)

    def clear_counts(self) -> None:
        """Start counting messages from zero."""
        self.ask().config_resetstat()

    def messages(self) -> int:
        """Return the number of messages that were put into queues (kombu's LPUSH)."""
        return int(self.ask().info("commandstats").get("cmdstat_lpush", {}).get("calls", 0))

    def is_quiet(self) -> bool:
        """Whether no message waits, and none is being worked on."""
        client = self.ask()
        return not client.llen("celery") and not client.hlen("unacked")


class Stub(Process):
    """The stub Basket, started as a script: it needs no other module of this project."""

    api_key = "only-for-benchmarks"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Return the command of the script."""
        script = Path(__file__).with_name("stub.py")
        return [sys.executable, "-P", str(script), str(self.port), self.api_key]

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.ask("counts") or True)
        except OSError:
            return False

    def ask(self, what: str, **fields: object) -> dict[str, Any]:
        """Steer the stub, or ask for its contents."""
        with urlopen(f"{self.url}/-/{what}?{urlencode(fields)}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def calls(self, name: str = "") -> int:
        """Return the number of calls, or of calls of one kind."""
        counts = self.ask("counts")
        return int(counts.get(name, 0) if name else sum(counts.values()))


def tree(pid: int) -> Iterator[int]:
    """List a process and its living descendants."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its living descendants, and those it has reaped."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(number) for number in fields[11:15])
    return ticks / TICK


def machine_seconds() -> tuple[float, float]:
    """Return the seconds that all cores have worked, and the seconds in total."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / TICK, sum(numbers) / TICK


def memory(pid: int, name: str) -> float:
    """Return a process's memory in MB: ``VmHWM`` is the peak, ``VmRSS`` the present value."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
