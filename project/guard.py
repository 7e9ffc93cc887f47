"""
Ends the processes of a program that was killed and could not end them itself.

Reads the program's process groups and folders from its input. When the input ends, the program
has ended: the guard kills and deletes what is left of them.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

#: Seconds between a group's own signal and SIGKILL.
PATIENCE = 5.0


def main() -> None:
    """Keep the lists until the input ends, then clean up."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: dict[int, int] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        match line.rstrip("\n").split(" ", 2):
            case ["group", group, number]:
                groups[int(group)] = int(number)
            case ["ended", group]:
                groups.pop(int(group), None)
            case ["folder", folder]:
                folders.add(folder)
            case ["removed", folder]:
                folders.discard(folder)
    end(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def end(groups: dict[int, int]) -> None:
    """Send each group its signal, and SIGKILL to remaining processes a while later."""
    for group, number in groups.items():
        with suppress(OSError):
            os.killpg(group, number)
    deadline = time.monotonic() + PATIENCE
    while any(is_alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def is_alive(group: int) -> bool:
    """Whether the group has processes."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
