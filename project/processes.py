"""
Processes that a program starts, can kill, and ends, also if the program itself is killed.

The demo, the tests on real servers and in the browser, the soak and the benchmarks all start their
servers and the site's processes by the classes of this module.
"""

import atexit
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self, cast

from project import guard

ROOT = Path(__file__).resolve().parent.parent

_LAST_LINES = 25
_WARNING = re.compile(r" (WARNING|ERROR|CRITICAL) ")


#: Below the ports that the system gives to servers at port 0, and to connections.
_PORTS = range(20_000, 32_768)

#: UDP sockets at the ports that this process has chosen: their servers, which use TCP, may not
#: have started yet. They keep other processes that call ``free_port()`` from the same choice.
_taken: list[socket.socket] = []


def free_port() -> int:
    """
    Return a port of loopback that is not in use.

    It stays free until its server starts, and while that server is down: the system gives it to
    no other program by itself, and this function to no other process while this one runs.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        taken = socket.socket(type=socket.SOCK_DGRAM)
        try:
            taken.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            taken.close()
            continue
        _taken.append(taken)
        atexit.register(taken.close)
        return port
    raise RuntimeError("100 ports of loopback are in use.")


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


class Interrupted(KeyboardInterrupt):
    """The program was asked to end, by Ctrl-C or by a similar signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class ProcessFailed(RuntimeError):
    """A process ended early, or did not become ready. The text names it and has its last lines."""


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into :class:`Interrupted`, unless that would do harm."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._holding = False
        self._ignoring = False
        self._held: int | None = None

    def install(self) -> None:
        """Install the handlers."""
        for number in self.NUMBERS:
            signal.signal(number, self._receive)

    def ignore(self) -> None:
        """Ignore all further signals, so that none interrupts the cleanup."""
        self._ignoring = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay a signal until the end of the block."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._held is not None:
            raise Interrupted(self._held)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._ignoring:
            return
        if self._holding:
            self._held = number
            return
        raise Interrupted(number)


SIGNALS = Signals()
"""The signals of this program. Handlers are installed only where a program asks for it."""


class Guard:
    """The process that cleans up if this one is killed. It starts with the first report."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, *words: object) -> None:
        """Report a new group or folder of this program, or the end of one."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", guard.__file__],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            atexit.register(self.dismiss)
        # A signal to the whole foreground group can hit the guard before it has left it.
        with suppress(BrokenPipeError):
            self._input.write(" ".join(map(str, words)) + "\n")
            self._input.flush()

    def dismiss(self) -> None:
        """Let the guard end what is left, and wait for it."""
        if self._process is not None:
            with suppress(BrokenPipeError):
                self._input.close()
            self._process.wait()
            self._process = None

    @property
    def _input(self) -> IO[str]:
        return cast("IO[str]", cast("subprocess.Popen[str]", self._process).stdin)


GUARD = Guard()


class Process:
    """
    A program in a process group and with a folder of its own.

    Use it as a context manager, or call ``start()`` and ``stop()``.
    """

    #: The signal that asks the program to end properly.
    polite = signal.SIGTERM
    #: The signal that ends its whole group after this program was killed.
    last_word = signal.SIGKILL
    #: Seconds until it must be ready.
    start_timeout = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"test-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        GUARD.tell("folder", self.folder)
        atexit.register(self.stop)

    @property
    def name(self) -> str:
        """Its name in messages."""
        return type(self).__name__.lower()

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
        return self._started.pid

    def start(self) -> Self:
        """Start the program and wait until it is ready."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start the program and do not wait."""
        with SIGNALS.held(), self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
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

        :raises ProcessFailed: when it ended, or took longer than ``start_timeout``.
        """

        def ready_or_gone() -> bool:
            return not self.is_running or self.is_ready()

        try:
            wait_until(ready_or_gone, timeout=self.start_timeout, what=self.name)
        except TimeoutError:
            raise ProcessFailed(
                f"The process {self.name!r} was not ready within {self.start_timeout:g} s. "
                f"It said last:\n{self.last_lines}"
            ) from None
        self.check()

    def check(self) -> None:
        """
        Check that the program is running.

        :raises ProcessFailed: when it has ended.
        """
        status = self._started.poll()
        if status is not None:
            raise ProcessFailed(
                f"The process {self.name!r} ended with status {status}. "
                f"It said last:\n{self.last_lines}"
            )

    @property
    def log_file(self) -> Path:
        """The file with all of its output."""
        return self.folder / "log"

    @property
    def log(self) -> str:
        """All of its output."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def last_lines(self) -> str:
        """The last lines of its output, indented."""
        return _indented(self.log.splitlines()) or "    (nothing)"

    @property
    def warnings(self) -> str:
        """The last lines of its output with a warning or an error, indented."""
        return _indented([line for line in self.log.splitlines() if _WARNING.search(line)])

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def ask_to_end(self) -> None:
        """Ask the program to end properly, and do not wait."""
        if self.is_running:
            # Not its group: a worker without its beat would start another one.
            self._started.send_signal(self.polite)

    def terminate(self, timeout: float = 30.0) -> None:
        """Ask the program to end properly, and wait for that."""
        if self.is_running:
            self.ask_to_end()
            self._started.wait(timeout)
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
        os.killpg(self.pid, number)

    @property
    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError(f"The process {self.name!r} was not started.")
        return self._process


def stop_all(processes: Sequence[Process], *, patience: float) -> None:
    """Ask processes to end, the last one first, and stop them ``patience`` seconds later."""
    for process in reversed(processes):
        process.ask_to_end()
    with suppress(TimeoutError):
        wait_until(
            lambda: not any(process.is_running for process in processes),
            timeout=patience,
            what="the end of all",
        )
    for process in reversed(processes):
        process.stop()


class Sandbox(Process):
    """A sandbox Basket at a free port."""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self.api_key = api_key

    def command(self) -> list[str]:
        """Return the command of docs/sandbox.md."""
        module = ("-m", "mozillians_basket.sandbox")
        return [sys.executable, *module, "--port", "0", "--api-key", self.api_key]

    def is_ready(self) -> bool:
        """Whether its address is in the log."""
        return bool(self.url)

    @property
    def url(self) -> str:
        """Its address, with nothing after the port."""
        return _url_in(self.log)


class SiteProcess(Process):
    """A process of the site, with the settings of a deployment unless told otherwise."""

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


class Web(SiteProcess):
    """The site over HTTP, at a free port."""

    def environment(self) -> Mapping[str, str]:
        """Return a deployment's environment, but without HTTPS, which is not needed on loopback."""
        return {
            **super().environment(),
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "DEBUG": "0",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }

    def command(self) -> list[str]:
        """Return the command of waitress."""
        return [sys.executable, "-m", "project.demo.serve"]

    def is_ready(self) -> bool:
        """Whether its address is in the log."""
        return bool(self.url)

    @property
    def url(self) -> str:
        """The address of the site, with nothing after the port."""
        return _url_in(self.log)


def _url_in(log: str) -> str:
    found = re.search(r"ready at (http://\S+)", log)
    return found[1] if found else ""


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines[-_LAST_LINES:])
