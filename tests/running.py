"""Finds running processes, for tests of programs that must leave none behind."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"
)


@dataclass(frozen=True)
class Found:
    """A running process."""

    pid: int
    parent: int
    command: str


def processes_with(text: str) -> list[Found]:
    """Find the processes with a text in their command line, environment or folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            data = command + (folder / "environ").read_bytes() + bytes((folder / "cwd").readlink())
            if text.encode() in data:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = command.replace(b"\0", b" ").decode(errors="replace")
                found.append(Found(int(folder.name), parent, words))
    return found


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie, which only its parent can clear away."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
