"""Processes that a test run starts, can kill, and ends, also if the run itself is killed."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.services import guard


def free_port() -> int:
    """Return a port of loopback that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], *, timeout: float, what: str) -> None:
    """
    Return as soon as the condition holds.

    :raises TimeoutError: when it takes longer than ``timeout`` seconds; ``what`` names the
        expected event.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(0.05)


def commands(text: str) -> list[str]:
    """Return the data of processes with a text in command line, environment or folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            line += bytes((process / "cwd").readlink())
        except OSError:
            continue
        if text.encode() in line:
            found.append(line.decode(errors="replace"))
    return found


class Guard:
    """The process that cleans up if this one is killed. It starts with the first report."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, *words: object) -> None:
        """Report a new group or folder of this run, or the end of one."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            atexit.register(self.dismiss)
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)

    def dismiss(self) -> None:
        """Let the guard end what is left, and wait for it."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


GUARD = Guard()


class Process:
    """
    A program in a process group and with a folder of its own.

    Use it as a context manager, or call ``start()`` and ``stop()``.
    """

    #: The signal that asks the program to end properly.
    polite = signal.SIGTERM
    #: The signal that ends its whole group after the test run was killed.
    last_word = signal.SIGKILL
    #: Seconds until it must be ready.
    start_timeout = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"test-{type(self).__name__.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None
        GUARD.tell("folder", self.folder)
        atexit.register(self.stop)

    def command(self) -> list[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return the variables of its environment in addition to this process's."""
        return {}

    def account(self) -> dict[str, Any]:
        """Return the user to run it as: arguments of ``subprocess.Popen``."""
        return {}

    def is_ready(self) -> bool:
        """Whether it answers."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The id of the started process, which leads its group."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start the program and wait until it is ready."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start the program and do not wait."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment()},
                start_new_session=True,
                **self.account(),
            )
        GUARD.tell("group", self._process.pid, int(self.last_word))

    def wait_ready(self) -> None:
        """
        Wait until the program is ready.

        :raises RuntimeError: when it ends instead, with its output.
        """

        def ready_or_gone() -> bool:
            return not self.is_running or self.is_ready()

        try:
            wait_until(ready_or_gone, timeout=self.start_timeout, what=type(self).__name__)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.log}") from None
        if not self.is_running:
            raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log}")

    @property
    def log_file(self) -> Path:
        """The file with all of its output."""
        return self.folder / "log"

    @property
    def log(self) -> str:
        """All of its output."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def terminate(self, timeout: float = 30.0) -> None:
        """Ask the program to end properly, and wait for that."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(self.polite)
            process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill the program and all of its group, and wait until they are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(TimeoutError):  # a child whose parent is gone may stay as a zombie
            wait_until(lambda: not guard.is_alive(process.pid), timeout=2, what="the group")
        GUARD.tell("ended", process.pid)

    def pause(self) -> None:
        """Let the program hang: it keeps its connections, accepts new ones, and answers none."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the program continue after ``pause()``."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """End the program properly and start it again with the same port and data."""
        self.terminate()
        self.start()

    def stop(self) -> None:
        """End the program for good and delete its folder. May be called again."""
        atexit.unregister(self.stop)
        if self.is_running and self.last_word != signal.SIGKILL:
            self._signal(self.last_word)
            with suppress(TimeoutError):
                wait_until(lambda: not self.is_running, timeout=guard.PATIENCE, what="the end")
        self.kill()
        if self.folder.exists():
            shutil.rmtree(self.folder)
            GUARD.tell("removed", self.folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)
