"""Starts a sandbox Basket for tests, and controls it. Needs neither Django nor pytest."""

import atexit
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self, cast

from mozillians_basket.sandbox.control_client import (
    ControlClient,
    SandboxMessage,
    SandboxPerson,
    SandboxRequest,
)

__all__ = ["SandboxMessage", "SandboxPerson", "SandboxRequest", "SandboxServer"]

READY = re.compile(r"ready at (http://\S+) with API key (\S+)")


class SandboxServer:
    """
    A sandbox Basket in a process of its own, at a free port of this machine or at ``port``.

    Use it as a context manager, or call ``start()`` and ``stop()``. The process ends with
    the current process, however that ends.
    """

    def __init__(
        self,
        *,
        api_key: str = "test-key",
        port: int = 0,
        newsletters: str = "",
        database: str = "",
        mail: str = "",
        fast: bool = False,
        threads: int = 0,
        processes: int = 0,
        start_timeout: float = 30,
    ) -> None:
        self._arguments = ["--port", str(port), "--api-key", api_key, "--end-with-input"]
        options = {
            "newsletters": newsletters,
            "database": database,
            "mail": mail,
            "threads": threads,
            "processes": processes,
        }
        for name, value in options.items():
            if value:
                self._arguments += [f"--{name}", str(value)]
        if fast:
            self._arguments.append("--fast")
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._control: ControlClient | None = None
        self.url = ""
        self.api_key = api_key

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "DJANGO_SETTINGS_MODULE" and not name.startswith("BASKET_SANDBOX_")
        }
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "mozillians_basket.sandbox", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        atexit.register(self.stop)
        line = self._first_line(cast("IO[bytes]", self._process.stdout))
        found = READY.search(line)
        if not found:
            self.stop()
            raise RuntimeError(f"the sandbox Basket did not start: {line}")
        self.url = found[1]
        self._control = ControlClient(self.url, self.api_key)
        return self

    def stop(self) -> None:
        """End the server. Does nothing if it has ended."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if self._control:
            self._control.close()
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, self._errors):
            if stream:
                with suppress(OSError):
                    stream.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the started process. Other processes that share its work are its children."""
        if self._process is None:
            raise RuntimeError("the sandbox Basket is not running")
        return self._process.pid

    @property
    def people(self) -> dict[str, SandboxPerson]:
        """All people in Basket, by address."""
        people = self._ask("GET", "people")["people"]
        return {fields["email"]: SandboxPerson.from_fields(fields) for fields in people}

    def person(self, email: str) -> SandboxPerson | None:
        """Return the person with this address, in upper or lower case, or None."""
        found = self._ask("GET", "people", query={"email": email})["people"]
        return SandboxPerson.from_fields(found[0]) if found else None

    def put_person(self, email: str, **fields: Any) -> SandboxPerson:
        """
        Create a person or change one.

        Any field of a person may be given, such as ``optin`` or ``optout``. ``newsletters`` sets
        their newsletters, ``add`` and ``remove`` change them; ``new_email`` changes the address.
        """
        for name in ("newsletters", "add", "remove"):
            if name in fields:
                fields[name] = list(fields[name])
        return SandboxPerson.from_fields(
            self._ask("POST", "people", {"email": email, **fields})["person"]
        )

    def add_people(
        self, emails: Iterable[str], *, newsletters: Iterable[str] = (), **fields: Any
    ) -> None:
        """
        Create many people at once, with the same newsletters and fields.

        :raises ValueError: if one of them is there already.
        """
        body = {"emails": list(emails), "newsletters": list(newsletters), **fields}
        if body["emails"]:
            self._ask("POST", "people", body)

    def rename_person(self, email: str, new_email: str) -> SandboxPerson:
        """Change a person's address, as a person does at Basket: their token stays."""
        return self._known(email, new_email=new_email)

    def opt_out(self, email: str, newsletter: str = "") -> SandboxPerson:
        """Let a person unsubscribe from a newsletter at Basket, or opt out of everything."""
        if newsletter:
            return self._known(email, remove=[newsletter])
        return self._known(email, newsletters=[], optout=True)

    def forget_people(self) -> None:
        """Delete all people."""
        self._ask("DELETE", "people")

    @property
    def requests(self) -> list[SandboxRequest]:
        """The requests received so far, oldest first."""
        return [
            SandboxRequest.from_fields(entry) for entry in self._ask("GET", "requests")["requests"]
        ]

    def clear_requests(self) -> None:
        """Delete the requests received so far."""
        self._ask("DELETE", "requests")

    @property
    def counts(self) -> dict[str, int]:
        """The number of requests per endpoint so far, and the number of ``connections``."""
        numbers: dict[str, int] = self._ask("GET", "counts")["counts"]
        return numbers

    def clear_counts(self) -> None:
        """Set the counters to zero."""
        self._ask("DELETE", "counts")

    @property
    def messages(self) -> list[SandboxMessage]:
        """The mail sent so far, oldest first."""
        return [SandboxMessage(**entry) for entry in self._ask("GET", "messages")["messages"]]

    def load_newsletters(self, newsletters: dict[str, Any], **more: Any) -> None:
        """
        Create or change newsletters, by slug; ``reset()`` does not change them.

        ``groups`` and ``blocked_domains`` may be given as well, as in a file of newsletters.
        """
        self._ask("POST", "newsletters", {"newsletters": newsletters, **more})

    def fail(self, endpoint: str = "", *, times: int | None = None, **fault: Any) -> int:
        """
        Let requests go wrong. Return the number of the fault, for ``heal()``.

        ``endpoint`` is ``subscribe``, ``unsubscribe``, ``lookup``, ``user``, ``newsletters``
        and so on, or empty for all; ``times`` is the number of requests, None for all to come.
        ``kind`` is ``answer`` (the default, with ``status`` and ``code``), ``delay``, ``hang``
        (both with ``seconds``), ``ignore``, ``drop``, ``malformed``, ``html``, ``rate_limit``
        (with ``retry_after``), ``maintenance`` or ``read_only_maintenance``; or, for changes that
        Basket only queues, ``late`` or ``doubled`` (both with ``seconds``); or ``race``, for
        parallel first subscribes of one person. ``email`` limits it to addresses of a pattern,
        ``share`` and ``seed`` to some requests by chance.
        """
        body = {"endpoint": endpoint, "remaining": times, **fault}
        return int(self._ask("POST", "faults", body)["fault"]["id"])

    def delay_queue(self, seconds: float, endpoint: str = "", **limits: Any) -> int:
        """
        Carry out queued changes ``seconds`` late: every unsubscribe, and sync=N subscribes.

        They are carried out at once when the fault is removed. ``limits`` are those of
        ``fail()``. Return the number of the fault, for ``heal()``.
        """
        return self.fail(endpoint, kind="late", seconds=seconds, **limits)

    def double_queued(
        self, seconds: float, endpoint: str = "", *, times: int | None = 1, **limits: Any
    ) -> int:
        """
        Carry out the next queued change now and, ``seconds`` later, a second time.

        The second time can undo a newer change. It comes at once when the fault is taken
        away. ``limits`` are those of ``fail()``. Return the number of the fault, for ``heal()``.
        """
        return self.fail(endpoint, kind="doubled", seconds=seconds, times=times, **limits)

    def heal(self, fault: int | None = None) -> None:
        """
        Take one fault away, or all of them.

        The changes that they kept are carried out, and losses are restored.
        """
        self._ask("DELETE", "faults", query={} if fault is None else {"id": str(fault)})

    def lose_people(self, newsletter: str = "", **limits: Any) -> int:
        """
        Delete people: all, or those with this newsletter. Return the number of the fault.

        ``share`` and ``seed`` limit it to some of them by chance, ``email`` to addresses of a
        pattern. ``restore()`` brings them back.
        """
        return self.fail(kind="people_vanish", newsletter=newsletter, **limits)

    def lose_subscriptions(self, newsletter: str = "", **limits: Any) -> int:
        """
        Delete subscriptions to a newsletter, or all. The people stay.

        ``limits`` and the return value are those of ``lose_people()``.
        """
        return self.fail(kind="subscriptions_vanish", newsletter=newsletter, **limits)

    def restore(self) -> None:
        """
        Bring all people and subscriptions back as they were before the first loss.

        As with a backup, changes since then are undone, and people who came since then are gone.
        """
        for fault in reversed(self.faults):
            if fault["kind"] in {"people_vanish", "subscriptions_vanish"}:
                self.heal(fault["id"])

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that are set."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return found

    @property
    def latency(self) -> float:
        """The number of seconds by which every answer is delayed."""
        return max([fault["seconds"] for fault in self._everywhere("delay")], default=0.0)

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._replace("delay", wanted=seconds > 0, seconds=seconds)

    @property
    def maintenance(self) -> bool:
        """Whether Basket is in maintenance."""
        return bool(self._everywhere("maintenance"))

    @maintenance.setter
    def maintenance(self, wanted: bool) -> None:
        self._replace("maintenance", wanted=wanted)

    @property
    def read_only_maintenance(self) -> bool:
        """
        Whether Basket is in read-only maintenance: it answers lookups and only queues changes.

        A subscribe with ``sync=Y`` answers as if it were done, with a new token for a new
        person. The queue is worked off, in order, when this is set to False.
        """
        return bool(self._everywhere("read_only_maintenance"))

    @read_only_maintenance.setter
    def read_only_maintenance(self, wanted: bool) -> None:
        self._replace("read_only_maintenance", wanted=wanted)

    def reset(self) -> None:
        """Delete people, requests, faults and counters; keys and newsletters stay."""
        self._ask("POST", "reset")

    def _known(self, email: str, **fields: Any) -> SandboxPerson:
        if self.person(email) is None:
            raise ValueError(f"Basket does not know {email}")
        return self.put_person(email, **fields)

    def _everywhere(self, kind: str) -> list[dict[str, Any]]:
        return [
            fault
            for fault in self.faults
            if fault["kind"] == kind and not fault["endpoint"] and not fault["email"]
        ]

    def _replace(self, kind: str, *, wanted: bool, **fault: Any) -> None:
        for old in self._everywhere(kind):
            self.heal(old["id"])
        if wanted:
            self.fail(kind=kind, **fault)

    def _ask(
        self, method: str, what: str, body: Any = None, *, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        if self._control is None:
            raise RuntimeError("the sandbox Basket is not running")
        return self._control.ask(method, what, body, query)

    def _first_line(self, stream: IO[bytes]) -> str:
        lines: queue.Queue[bytes] = queue.Queue()
        reader = threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True)
        reader.start()
        try:
            line = lines.get(timeout=self._start_timeout)
        except queue.Empty:
            return "it took too long"
        return line.decode() or self._said()

    def _said(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")
