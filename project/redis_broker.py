"""kombu's Redis transport, without a new client for each message and each acknowledgement."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """
    Keep the client that belongs to the pool.

    To make one, as kombu does several times for each message, takes longer than
    what it is made for. Clients hold no state: their connections are the pool's.
    """

    _kept: tuple[Any, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - kombu's
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        pool = self.pool
        if self._kept is None or self._kept[0] is not pool:
            self._kept = pool, super()._create_client()  # type: ignore[misc]
        return self._kept[1]


class Transport(redis.Transport):
    """The broker at ``redis://``."""

    Channel = Channel
