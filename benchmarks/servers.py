"""The servers on which everything is measured, and what they counted."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.services.servers import PostgreSQL, Redis

# Where they are used: only this command and the tests on real servers have these packages.
if TYPE_CHECKING:
    import redis
    from psycopg import sql

#: Statements that begin and end transactions; they are counted apart.
BRACKETS = "BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE"

#: Foreign keys that the server checks by itself, in the name of the table's owner.
OWN = r"SELECT \$\d+ FROM ONLY .* FOR KEY SHARE"

#: Whose statements they are is told by the database role that sent them.
WEB, WORKER = "web", "worker"


@dataclass(frozen=True)
class Statements:
    """How many statements a role sent."""

    queries: int = 0
    brackets: int = 0
    """BEGIN, COMMIT and the like."""


class Database(PostgreSQL):
    """A PostgreSQL server that counts statements by the role that sends them."""

    def __init__(self, *, fsync: bool = False) -> None:
        super().__init__()
        self._fsync = fsync
        self._made = 0

    def command(self) -> list[str]:
        """The server, with ``pg_stat_statements``."""
        options = {
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.max": "10000",
            "max_connections": "400",
            "shared_buffers": "512MB",
            "max_wal_size": "8GB",
            "fsync": "on" if self._fsync else "off",
        }
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [*super().command(), *given]

    def prepare(self) -> None:
        """Make what counting needs."""
        self.execute("CREATE EXTENSION pg_stat_statements")
        from psycopg import sql

        for role in (WEB, WORKER):
            self.execute(
                sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(self._password)
                )
            )

    def url_for(self, role: str, name: str) -> str:
        """The URL of a database for a role."""
        return self.database_url(name).replace("//postgres:", f"//{role}:")

    def execute(
        self, statement: "str | sql.Composed", name: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run a statement as the superuser in one of the databases; return its rows."""
        import psycopg

        query = statement.encode() if isinstance(statement, str) else statement
        with psycopg.connect(self.database_url(name), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template1") -> str:
        """Make a database as a copy of another one; return its name."""
        self._made += 1
        name = f"site_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def clear_counts(self) -> None:
        """Count statements anew."""
        self.execute("SELECT pg_stat_statements_reset()")

    def statements(self) -> dict[str, Statements]:
        """What the roles have sent since counting began."""
        rows = self.execute(
            "SELECT r.rolname, s.query, s.calls FROM pg_stat_statements s "
            "JOIN pg_roles r ON r.oid = s.userid"
        )
        queries: Counter[str] = Counter()
        brackets: Counter[str] = Counter()
        for role, text, calls in rows:
            if re.match(OWN, str(text)):
                continue
            kind = brackets if re.match(BRACKETS, str(text), re.IGNORECASE) else queries
            kind[str(role)] += int(str(calls))
        return {role: Statements(queries[role], brackets[role]) for role in (WEB, WORKER)}

    def most_frequent(self, role: str, limit: int = 40) -> list[tuple[int, str]]:
        """The statements that a role sent most often, for the profile."""
        from psycopg import sql

        rows = self.execute(
            sql.SQL(
                "SELECT s.calls, s.query FROM pg_stat_statements s "
                "JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = {} "
                "ORDER BY s.calls DESC LIMIT {}"
            ).format(sql.Literal(role), sql.Literal(limit))
        )
        return [(int(str(calls)), " ".join(str(text).split())) for calls, text in rows]


class Broker(Redis):
    """A Redis server that tells how many messages it was given."""

    def ask(self) -> "redis.Redis":
        """A client."""
        import redis

        return redis.Redis.from_url(self.url)

    def clear_counts(self) -> None:
        """Count anew."""
        with self.ask() as client:
            client.config_resetstat()

    def messages(self) -> int:
        """How many messages were put into queues since counting began (kombu's LPUSH)."""
        with self.ask() as client:
            return int(client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0))

    def bytes_received(self) -> int:
        """How many bytes were sent to it since counting began, commands and all."""
        with self.ask() as client:
            return int(client.info("stats")["total_net_input_bytes"])

    def is_quiet(self) -> bool:
        """Whether no message waits, and none is being worked on."""
        with self.ask() as client:
            return not client.llen("celery") and not client.hlen("unacked")
