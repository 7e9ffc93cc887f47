"""The number of statements does not depend on how many members there are."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from mozillians_basket.ledger import touches
from mozillians_basket.models import Touch
from mozillians_basket.sandbox.testing import SandboxServer
from tests.app.steps import run, syncing
from tests.factories import VouchFactory

#: Few enough for SQLite to take each table's rows in one statement.
FEW, MANY = 2, 15


def statements(action: Callable[[], Any]) -> int:
    """Count the statements that an action takes, without those that waffle's cache may save."""
    with CaptureQueriesContext(connection) as captured:
        action()
    return len([query for query in captured if "waffle" not in query["sql"]])


def vouch(number: int) -> None:
    """Vouch for so many new members; nothing is drained yet."""
    for _ in range(number):
        VouchFactory.create()


def test_drain_takes_the_same_statements_for_many_members(db: None) -> None:
    vouch(FEW)
    few = statements(touches.drain)
    vouch(MANY)

    many = statements(touches.drain)

    assert not Touch.objects.exists()
    assert many == few


def test_share_takes_the_same_statements_for_many_contacts(basket: SandboxServer) -> None:
    vouch(FEW)
    touches.drain()
    few = statements(lambda: run(syncing()))  # type: ignore[no-untyped-call]
    vouch(MANY)
    touches.drain()

    many = statements(lambda: run(syncing()))  # type: ignore[no-untyped-call]

    assert len(basket.people) == FEW + MANY
    assert many == few
