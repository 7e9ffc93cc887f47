"""Ends process groups after the sudden end of the process that listed them on standard input."""

import os
import signal
import sys
from contextlib import suppress

#: The last line of a process that ended its groups by itself.
DONE = "done"


def main() -> None:
    """Read the groups' numbers until the input ends, then end the groups."""
    lines = sys.stdin.read().split()
    if DONE in lines:
        return
    for group in lines:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(group), signal.SIGKILL)


if __name__ == "__main__":
    main()
