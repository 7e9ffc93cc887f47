"""On what was measured: cores, versions, load, and the state of the code."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.services.servers import PostgreSQL, program
from tests.services.worker import ROOT

PACKAGES = (
    "django", "celery", "kombu", "redis", "psycopg", "requests", "urllib3",
    "basket-client", "django-waffle", "django-celery-results", "gevent",
)  # fmt: skip


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _memory() -> int:
    line = Path("/proc/meminfo").read_text().splitlines()[0]
    return int(line.split()[1]) // 1024


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def described() -> dict[str, Any]:
    """The machine, as it is kept with the figures."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_mb": _memory(),
        "kernel": platform.release(),
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": _said(PostgreSQL.program("postgres"), "--version").split()[-1],
            "Redis": _said(program("redis-server"), "--version").split("v=")[-1].split()[0],
            **{name: version(name) for name in PACKAGES},
        },
    }


def moment() -> dict[str, Any]:
    """When it is, how loaded the machine is, and which code is there."""
    changed = bool(_said("git", "status", "--porcelain", "--untracked-files=no"))
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": load(),
        "commit": _said("git", "rev-parse", "--short", "HEAD") + ("+" if changed else ""),
    }
