"""The site's Redis transport makes a client for each pool, not for each message."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection

from tests.services.servers import Redis

pytestmark = [pytest.mark.services]


@pytest.fixture
def channel() -> Iterator[Any]:
    """A channel to a Redis. Without redis-py, as in ``make test``, it cannot be imported."""
    from project.redis_broker import Channel, Transport

    with Redis() as server, Connection(server.url, transport=Transport) as connection:
        channel = connection.channel()
        assert isinstance(channel, Channel)
        yield channel


def test_the_client_is_kept(channel: Any) -> None:
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second


def test_another_pool_has_another_client(channel: Any) -> None:
    with channel.conn_or_acquire() as before:
        channel._disconnect_pools()

    with channel.conn_or_acquire() as after:
        assert after is not before
        assert after.ping()


def test_the_one_that_waits_for_messages_is_not_shared(channel: Any) -> None:
    with channel.conn_or_acquire() as shared:
        assert channel.client is not shared
        assert channel.client.connection_pool is not shared.connection_pool
