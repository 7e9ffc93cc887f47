"""The site's own processes as a deployment runs them: Celery's worker and beat."""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.services.processes import Process

ROOT = Path(__file__).resolve().parent.parent.parent


class SiteProcess(Process):
    """A process of the site, with the settings of a deployment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._environment = environment

    def environment(self) -> Mapping[str, str]:
        """Return the servers it was given, and a folder of its own for its files."""
        return {
            "DJANGO_SETTINGS_MODULE": "project.settings.prod",
            "SECRET_KEY": "only-for-tests",
            "PROJECT_VAR": str(self.folder),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "LOG_LEVEL": "INFO",
            **self._environment,
        }

    def celery(self, *arguments: str) -> list[str]:
        """Return a command of the site's Celery app."""
        return [sys.executable, "-m", "celery", "--workdir", str(ROOT), "-A", "project", *arguments]


class Worker(SiteProcess):
    """A worker of two processes with Celery's default pool, unless the arguments say otherwise."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        super().__init__(environment)
        self._arguments = arguments or ("--concurrency", "2")

    def command(self) -> list[str]:
        """Return the command in docs/deploy.md."""
        return self.celery(
            *("worker", "--hostname", f"{self.folder.name}@localhost"),
            *(*self._arguments, "--without-gossip", "--without-mingle"),
        )

    def is_ready(self) -> bool:
        """Whether it accepts messages."""
        return " ready." in self.log

    @property
    def children(self) -> list[int]:
        """The ids of its pool's processes."""
        file = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in file.read_text().split()]

    def kill_pool(self) -> None:
        """Kill the processes of its pool; the worker itself continues with new ones."""
        for pid in self.children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Beat(SiteProcess):
    """Beat, which sends the sweeper's messages."""

    def command(self) -> list[str]:
        """Return the command in docs/deploy.md."""
        return self.celery("beat", "--pidfile=")

    def is_ready(self) -> bool:
        """Whether it has started."""
        return "beat: Starting..." in self.log
