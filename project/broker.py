"""A message broker that needs no server: kombu's filesystem transport, without its races."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import Connection
from kombu.transport import filesystem
from kombu.transport.virtual.base import BrokerState
from kombu.utils.json import dumps, loads

Bindings = list[filesystem.exchange_queue_t]


class Channel(filesystem.Channel):
    """
    Show a file under its real name only once it is complete.

    kombu opens the final name and then writes. A consumer that polls fast then
    reads an empty message, or an empty table of bindings, and fails.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def _put(  # type: ignore[override]
        self, queue: str, payload: dict[str, Any], **kwargs: Any
    ) -> None:
        name = f"{time.time_ns():020}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out, name), dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        names = (file.name for file in folder.iterdir())
        for name in sorted(name for name in names if name.partition(".")[2] == f"{queue}.msg"):
            taken = folder / f"{name}.taken"
            try:
                # Within one folder, so that exactly one of many consumers succeeds.
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue
            message = loads(taken.read_bytes())
            taken.unlink()
            return message
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: table if binding in table else [binding, *table])

    def _delete(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        pattern: str | None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._purge(queue)
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: [row for row in table if row != binding])

    def _change_table(self, exchange: str, change: Callable[[Bindings], Bindings]) -> None:
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        with locked(file.with_suffix(".lock")):
            before = self.get_table(exchange)
            after = change(before)
            if after != before:
                write_whole(file, dumps(after))


class Transport(filesystem.Transport):
    """kombu's filesystem transport on the channel above."""

    Channel = Channel

    def __init__(self, client: Connection, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # kombu remembers its bindings for the whole process, for any folder: in a
        # second folder it would bind nothing and drop each message.
        self.state = BrokerState()


def write_whole(file: Path, text: str) -> None:
    """Write ``text`` to ``file``; no reader sees a half-written file."""
    part = file.with_name(f"{file.name}.{uuid.uuid4()}.part")
    part.write_text(text)
    part.replace(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the exclusive lock on ``file`` among all processes and threads."""
    with file.open("w") as handle:
        filesystem.lock(handle, filesystem.LOCK_EX)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            filesystem.unlock(handle)
