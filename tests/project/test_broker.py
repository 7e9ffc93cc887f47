"""The filesystem broker loses nothing and breaks nothing with many users at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty
from threading import Event

import pytest
from kombu import Connection, Exchange, Queue

from project import broker

Connect = Callable[[], Connection]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    options = {
        "data_folder_in": str(tmp_path / "messages"),
        "data_folder_out": str(tmp_path / "messages"),
        "control_folder": str(tmp_path / "control"),
    }
    return partial(Connection, "filesystem://", transport_options=options)


def test_the_sites_broker_is_behind_the_filesystem_url(connect: Connect) -> None:
    with connect() as connection:
        assert isinstance(connection.transport, broker.Transport)


def test_every_message_arrives_once_among_other_senders_and_takers(connect: Connect) -> None:
    sent = [f"{sender}-{number}" for sender in range(2) for number in range(300)]
    all_sent = Event()

    def send(sender: int) -> None:
        with connect() as connection, connection.SimpleQueue("letters") as queue:
            for number in range(300):
                queue.put(f"{sender}-{number}")

    def take() -> list[str]:
        taken: list[str] = []
        with connect() as connection, connection.SimpleQueue("letters") as queue:
            while True:
                last_look = all_sent.is_set()
                try:
                    message = queue.get_nowait()
                except Empty:
                    if last_look:
                        return taken
                else:
                    taken.append(message.payload)
                    message.ack()

    with ThreadPoolExecutor() as threads:
        takers = [threads.submit(take) for _ in range(3)]
        try:
            list(threads.map(send, range(2)))
        finally:
            all_sent.set()
        taken = [message for taker in takers for message in taker.result()]

    assert sorted(taken) == sorted(sent)


def test_messages_are_taken_in_the_order_in_which_they_were_sent(connect: Connect) -> None:
    with connect() as connection, connection.SimpleQueue("letters") as queue:
        for number in range(20):
            queue.put(number)

        taken = [queue.get_nowait().payload for _ in range(20)]

    assert taken == list(range(20))


def test_queues_bound_at_once_all_get_their_messages(connect: Connect) -> None:
    exchange = Exchange("news", type="fanout")
    names = [f"reader-{number}" for number in range(40)]

    def bind(name: str) -> None:
        with connect() as connection:
            Queue(name, exchange=exchange)(connection.default_channel).declare()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bind, names))
    with connect() as connection:
        connection.Producer().publish("extra", exchange=exchange)
        sizes = {name: connection.SimpleQueue(name).qsize() for name in names}

    assert sizes == dict.fromkeys(names, 1)


def test_a_deleted_queue_gets_no_more_messages(connect: Connect) -> None:
    exchange = Exchange("news", type="fanout")

    with connect() as connection:
        kept, deleted = (
            Queue(name, exchange=exchange)(connection.default_channel) for name in ("kept", "gone")
        )
        kept.declare()
        deleted.declare()
        deleted.delete()
        connection.Producer().publish("extra", exchange=exchange)

        assert connection.SimpleQueue("kept").qsize() == 1
        assert connection.SimpleQueue("gone").qsize() == 0


def test_nothing_is_left_in_the_folder_once_all_is_taken(connect: Connect, tmp_path: Path) -> None:
    with connect() as connection, connection.SimpleQueue("letters") as queue:
        queue.put("one")
        queue.get_nowait().ack()

    assert list((tmp_path / "messages").iterdir()) == []
