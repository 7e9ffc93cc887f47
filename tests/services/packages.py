"""Installs Debian's packages of the programs that the tests run, if they are missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.services.servers import MissingProgram, PostgreSQL, program

#: Debian's packages by name: a program of each, and the function that finds it.
Packages = Mapping[str, tuple[str, Callable[[str], str]]]

POSTGRESQL: Packages = {"postgresql": ("initdb", PostgreSQL.program)}
REDIS: Packages = {"redis-server": ("redis-server", program)}
RABBITMQ: Packages = {"rabbitmq-server": ("rabbitmq-server", program)}

#: Services of these packages that the system would start by itself.
UNITS = ("postgresql", "redis-server", "rabbitmq-server", "epmd.socket", "epmd.service")

#: Debian's packages ask this script before they start a service; 101 means no.
POLICY = Path("/usr/sbin/policy-rc.d")


def missing(packages: Packages) -> list[str]:
    """Return the packages whose programs are missing."""
    names = []
    for package, (name, find) in packages.items():
        try:
            find(name)
        except MissingProgram:
            names.append(package)
    return names


def rights() -> list[str] | None:
    """Return the words before a command that needs root; None if this user may not run any."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode:
        return None
    return [sudo, "-n"] if sudo else None


@contextmanager
def no_service_starts(as_root: list[str]) -> Iterator[None]:
    """Keep installed packages from starting services in the block; an existing policy stays."""
    if POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w") as policy:
        policy.write("#!/bin/sh\nexit 101\n")
        policy.flush()
        subprocess.run([*as_root, "install", "-m", "755", policy.name, str(POLICY)], check=True)
    try:
        yield
    finally:
        subprocess.run([*as_root, "rm", str(POLICY)], check=True)


def install(packages: list[str], as_root: list[str]) -> None:
    """Install packages by apt-get; no service of them starts, now or at the next boot."""
    before = enabled()
    apt_get = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    with no_service_starts(as_root):
        subprocess.run([*apt_get, "update"], check=True)
        subprocess.run(
            [*apt_get, "install", "-y", "--no-install-recommends", *packages], check=True
        )
    fresh = sorted(enabled() - before)
    if fresh:
        subprocess.run([*as_root, "systemctl", "disable", *fresh], check=True)


def enabled() -> set[str]:
    """Return the units above that the system starts by itself."""
    if shutil.which("systemctl") is None:
        return set()
    asked = [["systemctl", "is-enabled", "--quiet", unit] for unit in UNITS]
    return {words[-1] for words in asked if not subprocess.run(words, check=False).returncode}


def provide(packages: Packages) -> None:
    """
    Install the packages that are missing.

    :raises SystemExit: if this user may not install, with the names of the packages.
    """
    names = missing(packages)
    if not names:
        return
    as_root = rights()
    if as_root is None or shutil.which("apt-get") is None:
        sys.exit(
            f"The tests need the programs of these packages of Debian's, and may not install "
            f"them: {', '.join(names)}. Install them, or ask whoever may; the servers that "
            "the system itself runs are not needed and not touched."
        )
    install(names, as_root)
    left = missing(packages)
    if left:
        sys.exit(f"Installed, but their programs are not found: {', '.join(left)}.")
