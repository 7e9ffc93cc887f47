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
        """The servers that it was given, and a folder of its own for what it writes."""
        return {
            "DJANGO_SETTINGS_MODULE": "project.settings.prod",
            "SECRET_KEY": "only-for-tests",
            "PROJECT_VAR": str(self.folder),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "LOG_LEVEL": "INFO",
            **self._environment,
        }

    def celery(self, *arguments: str) -> list[str]:
        """A command of the site's Celery app."""
        return [sys.executable, "-m", "celery", "--workdir", str(ROOT), "-A", "project", *arguments]


class Worker(SiteProcess):
    """A worker of two processes, Celery's default pool, if it is not told otherwise."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        super().__init__(environment)
        self._arguments = arguments or ("--concurrency", "2")

    def command(self) -> list[str]:
        """As docs/deploy.md says."""
        return self.celery(
            *("worker", "--hostname", f"{self.folder.name}@localhost"),
            *(*self._arguments, "--without-gossip", "--without-mingle"),
        )

    def is_ready(self) -> bool:
        """Whether it takes messages."""
        return " ready." in self.log

    @property
    def children(self) -> list[int]:
        """The processes of its pool."""
        file = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in file.read_text().split()]

    def kill_pool(self) -> None:
        """End the processes of its pool at once; the worker itself goes on with new ones."""
        for pid in self.children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Beat(SiteProcess):
    """Beat, which sends the sweeper's messages."""

    def command(self) -> list[str]:
        """As docs/deploy.md says."""
        return self.celery("beat", "--pidfile=")

    def is_ready(self) -> bool:
        """Whether it has begun."""
        return "beat: Starting..." in self.log
