"""The processes of the compared sites, and how much CPU they and the servers use."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sides import Side
from tests.services.worker import ROOT, SiteProcess

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Pool:
    """How a worker works at several tasks at once; ``None`` leaves it to Celery's default."""

    kind: str | None = "threads"
    concurrency: int | None = 20
    processes: int = 1

    @property
    def at_once(self) -> int:
        """How many tasks are worked at, at most."""
        return (self.concurrency or os.cpu_count() or 1) * self.processes

    def __str__(self) -> str:
        if self.kind is None:
            return f"default (prefork × {os.cpu_count()})"
        name = f"{self.kind} × {self.concurrency}"
        return name if self.processes == 1 else f"{self.processes} × ({name})"


class SideProcess(SiteProcess):
    """A process of one of the sites."""

    def __init__(self, side: Side, environment: Mapping[str, str]) -> None:
        super().__init__({**environment, "DJANGO_SETTINGS_MODULE": side.settings})
        self.side = side

    def celery(self, *arguments: str) -> list[str]:
        """A command of the site's Celery app."""
        module = [sys.executable, "-m", "celery", "--workdir", str(ROOT)]
        return [*module, "-A", self.side.celery, *arguments]


class Worker(SideProcess):
    """A worker with a pool as given."""

    def __init__(self, side: Side, environment: Mapping[str, str], pool: Pool) -> None:
        super().__init__(side, environment)
        self._pool = pool

    def command(self) -> list[str]:
        """As docs/deploy.md says, but for the pool."""
        chosen: list[str] = []
        if self._pool.kind is not None:
            chosen += ["--pool", self._pool.kind]
        if self._pool.concurrency is not None:
            chosen += ["--concurrency", str(self._pool.concurrency)]
        return self.celery(
            *("worker", "--hostname", f"{self.folder.name}@localhost", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle", *chosen),
        )

    def is_ready(self) -> bool:
        """Whether it takes messages."""
        return " ready." in self.log


class Beat(SideProcess):
    """Beat, which sends the sweeper's messages."""

    def command(self) -> list[str]:
        """As docs/deploy.md says."""
        return self.celery("beat", "--pidfile=")

    def is_ready(self) -> bool:
        """Whether it has begun."""
        return "beat: Starting..." in self.log


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants that are alive."""
    yield pid
    for task in _within(Path(f"/proc/{pid}/task")):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from tree(int(child))


def _within(folder: Path) -> list[Path]:
    """What is in a folder of a process; nothing once that has ended."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its descendants, and those that it has outlived."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(number) for number in fields[11:15])
    return ticks / TICK


def peak_memory(pid: int) -> float:
    """The most memory that a process has had so far, in MB (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmHWM in /proc")


def machine_busy() -> tuple[float, float]:
    """Seconds that all cores together have worked, and seconds that there were."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return (sum(numbers) - idle) / TICK, sum(numbers) / TICK
